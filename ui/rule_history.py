"""Undo and redo of the rule under work."""

from collections.abc import Callable
from copy import deepcopy
from functools import wraps

from ui import rule_tree

LONGEST = 50


def change(click: Callable) -> Callable:
    """Make what a click does one step that can be undone; a click that changes nothing is none."""

    @wraps(click)
    def changing(*args: object, **options: object) -> None:
        state = rule_tree.state()
        if not state:
            return
        before = deepcopy(state["root"])
        click(*args, **options)
        if state["root"] != before:
            state["past"] = [*state["past"], before][-LONGEST:]
            state["future"] = []
            rule_tree.changed()

    return changing


def can_undo() -> bool:
    """Whether there is a step to go back."""
    return bool(rule_tree.state().get("past"))


def can_redo() -> bool:
    """Whether there is a step that was undone and that no other change has replaced."""
    return bool(rule_tree.state().get("future"))


def undo() -> None:
    """Go back one step."""
    _step("past", "future")


def redo() -> None:
    """Take the step that was undone."""
    _step("future", "past")


def _step(source: str, target: str) -> None:
    state = rule_tree.state()
    if not state or not state[source]:
        return
    wanted = state[source].pop()
    state[target].append(state["root"])
    _turn_faces(wanted, state["root"])
    state["root"] = wanted
    rule_tree.changed()


def _turn_faces(wanted: dict, present: dict) -> None:
    """Let the widgets of what is different show it: they would go on showing what was chosen last."""
    there = {node["id"]: node for node in rule_tree.walk(present)}
    newest = max(node["face"] for tree in (wanted, present) for node in rule_tree.walk(tree)) + 1
    for node in rule_tree.walk(wanted):
        now = there.get(node["id"])
        if now is not None:
            node["face"] = now["face"] if _own(node) == _own(now) else newest


def _own(node: dict) -> dict:
    return {name: value for name, value in node.items() if name not in ("rules", "where", "face")}
