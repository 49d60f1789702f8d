"""Reading a rule from JSON: everything that is not exactly right is refused, with its place and the remedy.

Nothing is ever skipped in silence: that would widen an audience.
"""

import json

from ma.errors import InvalidRule
from ma.rules.catalogue import STANDARD, Catalogue
from ma.rules.check_leaves import LEAVES, leaf
from ma.rules.limits import (
    FIRST_DAY,
    LAST_DAY,
    LONGEST,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_RULES,
    MAX_SPLIT,
    MAX_TEXT,
    MAX_VALUES,
)
from ma.rules.nesting import require_in_reach
from ma.rules.nodes import Group, Match, Node, Not, to_json
from ma.rules.refusals import Object, Spent, join, listed, require_once, shown, unknown

__all__ = [
    "FIRST_DAY",
    "LAST_DAY",
    "LONGEST",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_RULES",
    "MAX_SPLIT",
    "MAX_TEXT",
    "MAX_VALUES",
    "parse",
]

_GROUPS = (*(match.value for match in Match), "not")


def parse(rule: str | dict, catalogue: Catalogue = STANDARD) -> Node:
    """The rule written in a JSON text, or in the dict it stands for.

    `catalogue` says which fields, events, campaigns and segments there are. Raises InvalidRule with the path
    of the first thing that is wrong and what to do about it.
    """
    data = _read(rule) if isinstance(rule, str) else rule
    node = _node(data, "", Spent(), catalogue)
    stored = to_json(node)
    # Without blanks: what is as long as that is too long however it is written.
    if _bytes(json.dumps(stored, ensure_ascii=False, separators=(",", ":"))) > MAX_BYTES:
        raise _too_long()
    require_in_reach(stored, catalogue)
    return node


def _read(text: str) -> object:
    if _bytes(text) > MAX_BYTES:
        raise _too_long()
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise _too_deep("") from None
    except ValueError as error:  # also an integer of thousands of digits
        where = (
            f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        )
        raise InvalidRule(
            f"This is not valid JSON{where}", remedy="Check quotes, commas and brackets there."
        ) from None


def _object(pairs: list[tuple[str, object]]) -> Object:
    result = Object(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        result.twice = next(key for key, _ in pairs if key in seen or seen.add(key))
    return result


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _too_long() -> InvalidRule:
    return InvalidRule("The rule is longer than 64 KiB", remedy="Split it into several segments.")


def _too_deep(path: str) -> InvalidRule:
    return InvalidRule(
        f"The rule nests more than {MAX_DEPTH} groups",
        path=path,
        remedy="Flatten it, or split it into segments.",
    )


def _node(data: object, path: str, spent: Spent, catalogue: Catalogue) -> Node:
    if not isinstance(data, dict):
        raise InvalidRule(
            f"Expected a rule but found {shown(data)}",
            path=path,
            remedy='Write an object such as {"field": "country", "operator": "eq", "value": "DE"}.',
        )
    require_once(data, path)
    if any(key in data for key in LEAVES):
        return leaf(data, path, spent, catalogue)
    return _group(_group_key(data, path), data, path, spent, catalogue)


def _group_key(data: dict, path: str) -> str:
    """The one key of a group."""
    if not data:
        raise InvalidRule("The rule is empty", path=path, remedy="Add at least one condition.")
    for key in data:
        if key not in _GROUPS:
            raise unknown("key", key, (*_GROUPS, *LEAVES), path)
    if len(data) > 1:
        raise InvalidRule(
            f"A group has one of {listed(_GROUPS)}, not several",
            path=path,
            remedy="Nest one in the other.",
        )
    return next(iter(data))


def _group(key: str, data: dict, path: str, spent: Spent, catalogue: Catalogue) -> Node:
    inner, path = data[key], join(path, key)
    spent.depth += 1
    if spent.depth > MAX_DEPTH:
        raise _too_deep(path)
    if key == "not":
        node: Node = Not(_node(inner, path, spent, catalogue))
    else:
        if not isinstance(inner, list):
            raise InvalidRule(
                f"'{key}' needs a list of rules but has {shown(inner)}", path=path, remedy="Put it in [ ]."
            )
        if not inner:
            raise InvalidRule(
                "The group is empty", path=path, remedy="Add at least one rule to it, or delete the group."
            )
        rules = (_node(rule, f"{path}[{i}]", spent, catalogue) for i, rule in enumerate(inner))
        node = Group(Match(key), tuple(rules))
    spent.depth -= 1
    return node
