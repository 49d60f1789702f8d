"""What a rule uses beside a customer's own row: other segments, own fields, and present values.

Rules of other segments are read as they are stored: one that is no longer valid names segments all the same.
"""

from collections.abc import Iterator

from ma.rules.catalogue import STANDARD, Catalogue
from ma.rules.check_leaves import OWN
from ma.rules.nodes import FieldRule, Match, Node, SegmentRule, leaves, to_json
from ma.rules.to_english import visible

# Known for every moment from their history.
_EXACT = ("consent_email", "consent_sms", "consent_push", "consent_direct_mail", "consent_ads")


def segments_used(node: Node) -> set[int]:
    """The ids of the segments that a rule names itself."""
    return {leaf.segment_id for leaf in leaves(node) if isinstance(leaf, SegmentRule)}


def attributes_used(node: Node) -> set[int]:
    """The ids of the own fields that a rule names itself."""
    names = {leaf.field for leaf in leaves(node) if isinstance(leaf, FieldRule)}
    return {int(name.removeprefix(OWN)) for name in names if name.startswith(OWN)}


def cycle(segment_id: int, node: Node, catalogue: Catalogue) -> list[int] | None:
    """The way on which a segment with this rule would come back to itself, [7, 3, 7]; None: it would not."""
    segments = catalogue.segments or {}
    waiting = [[segment_id, used] for used in sorted(segments_used(node))]
    seen: set[int] = set()
    while waiting:
        path = waiting.pop(0)
        here = path[-1]
        if here == segment_id:
            return path
        if here in seen or here not in segments:
            continue
        seen.add(here)
        waiting += [[*path, used] for used in _named(segments[here].rule)]
    return None


def present_values(node: Node, catalogue: Catalogue = STANDARD) -> list[str]:
    """The labels of what has its present value in this rule, whatever the moment that is asked for.

    Those are all profile fields but consent, and the people of static lists. Segments that the rule uses are
    looked into, as far as the catalogue knows them.
    """
    segments = catalogue.segments or {}
    found: dict[str, None] = {}
    waiting, seen = [to_json(node)], set()
    while waiting:
        for leaf in rule_leaves(waiting.pop(0)):
            name, used = leaf.get("field"), leaf.get("in_segment")
            if isinstance(name, str) and name not in _EXACT:
                known = catalogue.fields.get(name)
                found[visible(known.label) if known else name] = None
            if isinstance(used, int) and used in segments and used not in seen:
                seen.add(used)
                if segments[used].rule is None:
                    found[f"list “{visible(segments[used].name)}”"] = None
                waiting.append(segments[used].rule)
    return list(found)


def _named(rule: object) -> list[int]:
    """The segments that a stored rule names."""
    used = (leaf.get("in_segment") for leaf in rule_leaves(rule))
    return sorted({number for number in used if isinstance(number, int)})


def rule_leaves(rule: object) -> Iterator[dict]:
    """The leaves of a stored rule, valid or not, from left to right."""
    waiting = [rule]
    while waiting:
        data = waiting.pop(0)
        if not isinstance(data, dict):
            continue
        inner = [data[key] for key in (*Match, "not") if key in data]
        if not inner:
            yield data
        for rules in reversed(inner):
            waiting[:0] = rules if isinstance(rules, list) else [rules]
