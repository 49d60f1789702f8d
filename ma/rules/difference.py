"""What changed between two rules, from their trees: conditions added, removed, changed and moved."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ma.rules.nodes import (
    CampaignRule,
    EventRule,
    FieldRule,
    Group,
    Match,
    Node,
    Not,
    RandomRule,
    SegmentRule,
    leaves,
)


class Kind(StrEnum):
    """What happened to a part of a rule."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"
    HOW_MANY = "how many must hold"


@dataclass(frozen=True)
class Change:
    """One change. `before` is None for what was added, `after` for what was removed.

    `inside` are the groups of the newer rule around it, without the outermost. For HOW_MANY, before and after
    are groups, and only their kind differs.
    """

    kind: Kind
    before: Node | None
    after: Node | None
    inside: tuple[Group, ...] = ()


def differences(before: Node, after: Node) -> list[Change]:
    """What turns one rule into another, in the order of the newer one; empty where they are equal."""
    return _moved(_between(_as_group(before), _as_group(after), ()))


def _as_group(node: Node) -> Group:
    """Every rule as a group: a single one is one of which all must hold, and `not` means none of."""
    match node:
        case Group():
            return node
        case Not(rule):
            return Group(Match.NONE, (rule,))
        case _:
            return Group(Match.ALL, (node,))


def _between(before: Group, after: Group, inside: tuple[Group, ...]) -> list[Change]:
    if before == after:
        return []
    changes = []
    # Of a single rule, all and any are the same.
    alone = len(before.rules) == len(after.rules) == 1 and Match.NONE not in (before.match, after.match)
    if before.match is not after.match and not alone:
        changes.append(Change(Kind.HOW_MANY, before, after, inside))
    old, new = list(before.rules), list(after.rules)
    _pair(old, new, lambda a, b: a == b)
    twins = _pair(old, new, lambda a, b: _subject(a) is not None and _subject(a) == _subject(b))
    kin = _pair(old, new, lambda a, b: _is_group(a) and _is_group(b) and _alike(a, b))
    twins += _pair(old, new, lambda a, b: _topic(a) is not None and _topic(a) == _topic(b))
    for a, b in sorted(twins, key=lambda pair: after.rules.index(pair[1])):
        changes.append(Change(Kind.CHANGED, a, b, inside))
    for a, b in kin:
        group = _as_group(b)
        changes += _between(_as_group(a), group, (*inside, group))
    changes += [Change(Kind.REMOVED, a, None, inside) for a in old]
    changes += [Change(Kind.ADDED, None, b, inside) for b in new]
    return changes


def _pair(old: list[Node], new: list[Node], fit: Callable[[Node, Node], bool]) -> list[tuple[Node, Node]]:
    """Take out of both lists whatever fits together."""
    pairs = []
    for b in list(new):
        a = next((a for a in old if fit(a, b)), None)
        if a is not None:
            old.remove(a)
            new.remove(b)
            pairs.append((a, b))
    return pairs


def _is_group(node: Node) -> bool:
    return isinstance(node, Group | Not)


def _alike(a: Node, b: Node) -> bool:
    """Whether two groups speak of something in common: then one is the other, changed."""
    return bool({_topic(leaf) for leaf in leaves(a)} & {_topic(leaf) for leaf in leaves(b)})


def _subject(node: Node) -> tuple | None:
    """What a condition is about, closely: two of the same are one condition that was changed."""
    match node:
        case FieldRule():
            return "field", node.field, node.operator
        case EventRule():
            return "event", node.event, node.measure, tuple(rule.field for rule in node.where)
        case CampaignRule():
            return "campaign", node.campaign, node.channel, node.did
    return None


def _topic(node: Node) -> tuple | None:
    """What a condition is about, loosely."""
    match node:
        case FieldRule():
            return "field", node.field
        case EventRule():
            return "event", node.event
        case CampaignRule():
            return ("campaign",)
        case SegmentRule():
            return "segment", node.segment_id
        case RandomRule():
            return "random", node.split
    return None


def _moved(changes: list[Change]) -> list[Change]:
    """What was taken out in one place and put in as it was in another has moved."""
    removed = [change for change in changes if change.kind is Kind.REMOVED]
    result = []
    for change in changes:
        origin = None
        if change.kind is Kind.ADDED:
            origin = next((other for other in removed if other.before == change.after), None)
        if origin is None:
            result.append(change)
        else:
            removed.remove(origin)
            result.append(Change(Kind.MOVED, origin.before, change.after, change.inside))
    gone = {id(change) for change in removed}
    return [change for change in result if change.kind is not Kind.REMOVED or id(change) in gone]
