"""What is wrong with the rule under work, found once for each change."""

from dataclasses import dataclass, field

from ma.errors import InvalidRule
from ma.rules.catalogue import Catalogue
from ma.rules.check import parse
from ma.rules.nodes import Node
from ma.rules.operators import NUMBERS, OPERATORS, Operand
from ui import rule_numbers, rule_tree

_NO_VALUE = {Operand.MANY: "Choose at least one value.", Operand.RANGE: "Fill in both values."}


@dataclass(frozen=True)
class Verdict:
    """The rule if nothing is missing; else what is, by node id, or what is wrong with the whole of it."""

    node: Node | None = None
    problems: dict[str, str] = field(default_factory=dict)
    whole: str | None = None

    @property
    def finished(self) -> bool:
        """Whether `ma.rules.check` accepts the rule."""
        return self.node is not None


def verdict() -> Verdict:
    """What the rule under work is worth; kept until the next change."""
    state = rule_tree.state()
    if "verdict" not in state:
        state["verdict"] = _judge(state["root"], state["catalogue"])
    return state["verdict"]


def finished() -> dict[str, dict]:
    """The filters under work in which nothing is missing, as JSON by their id."""
    problems = verdict().problems
    return {
        node["id"]: rule_tree.to_rule(node)
        for node in rule_tree.root()["rules"]
        if not any(inner["id"] in problems for inner in rule_tree.walk(node))
    }


def _judge(root: dict, catalogue: Catalogue) -> Verdict:
    try:
        return Verdict(parse(rule_tree.to_rule(root), catalogue))
    except InvalidRule as error:
        problems = {}
        for node in rule_tree.walk(root):
            if told := _unfinished(node):
                problems[node["id"]] = told
        for node in rule_tree.walk(root):
            if _is_leaf(node) and not any(inner["id"] in problems for inner in rule_tree.walk(node)):
                problems |= _refused(node, catalogue)
        return Verdict(None, problems, None if problems else str(error))


def _is_leaf(node: dict) -> bool:
    """Whether it is a condition that stands for itself: those of an event do not."""
    return "leaf" in node and not node.get("of")


def _refused(node: dict, catalogue: Catalogue) -> dict[str, str]:
    try:
        parse(rule_tree.to_rule(node), catalogue)
    except InvalidRule as error:
        return {node["id"]: f"{error.problem}. {error.remedy}"}
    return {}


def _unfinished(node: dict) -> str | None:
    """What is still to be filled in, in the words of the screen."""
    if "rules" in node:
        return None if node["rules"] else "This group is empty: add a rule to it, or delete it."
    match node["leaf"]:
        case "segment":
            return "Choose a segment." if node["segment"] is None else None
        case "random":
            return None if node["split"].strip() else "Give the split a name."
        case "campaign":
            return _open_period(node["within"])
    value, operand = node["value"], OPERATORS[node["operator"]].operand
    empty = value in (None, "", []) or (isinstance(value, list) and None in value)
    if empty and operand is not Operand.NOTHING:
        return _NO_VALUE.get(operand, "Fill in a value.")
    if told := _out_of_range(node):
        return told
    return _open_period(node["within"]) if node["leaf"] == "event" else None


def _out_of_range(node: dict) -> str | None:
    field, value = rule_tree.field_of(node), node["value"]
    if field.kind not in NUMBERS or OPERATORS[node["operator"]].operand is Operand.NOTHING:
        return None
    if all(rule_numbers.fits(field, one) for one in (value if isinstance(value, list) else [value])):
        return None
    about = f" {field.about}" if rule_numbers.is_bounded(field) else ""
    return f"Type {rule_numbers.allowed(field)}.{about}"


def _open_period(within: dict) -> str | None:
    needed = {"last": ["last"], "since": ["first"], "until": ["until"], "between": ["first", "until"]}
    if all(within[name] for name in needed.get(within["how"], ())):
        return None
    return "Say how long." if within["how"] == "last" else "Choose the day, or both days."
