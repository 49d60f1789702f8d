"""What a segment's name, description and rule may be."""

import unicodedata
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.analytics.catalogue import catalogue
from ma.errors import InvalidInput, InvalidRule
from ma.rules.catalogue import Catalogue
from ma.rules.check import parse
from ma.rules.nesting import MAX_NESTED, pushed_too_far
from ma.rules.nodes import to_json
from ma.rules.uses import cycle
from ma.services.segment_rows import SEGMENT
from ma.text import fold

LONGEST_NAME = 100
LONGEST_DESCRIPTION = 1000
_CONTROLS = {"Cc", "Cs", "Zl", "Zp"}
# Emoji and some scripts need them; a name that differs from another by nothing else is the same name.
_JOINERS = dict.fromkeys((0x200C, 0x200D, *range(0xFE00, 0xFE10)))
# Letters and marks of which nothing is seen; 0x1160 is what the Hangul fillers fold to.
_BLANK = "\u034f\u115f\u1160\u2800"


def clean(session: Session, given: dict, *, but: int | None) -> dict:
    """The given values as they are stored; `but` is the segment they are for. Raises InvalidInput."""
    values, problems = {}, {}
    if "name" in given:
        name = unicodedata.normalize("NFC", given["name"]).strip()
        values |= {"name": name, "name_folded": fold(name.translate(_JOINERS))}
        if problem := _name_problem(session, name, values["name_folded"], but):
            problems["name"] = problem
    if "description" in given:
        values["description"] = unicodedata.normalize("NFC", given["description"]).strip()
        if problem := _description_problem(values["description"]):
            problems["description"] = problem
    if "rule" in given:
        try:
            values["rule"] = _rule(session, given["rule"], but)
        except InvalidRule as error:
            problems["rule"] = str(error)
    if problems:
        raise InvalidInput(problems)
    return values


def _rule(session: Session, given: dict | str, but: int | None) -> dict:
    known = catalogue(session)
    node = parse(given, known)
    if but is not None and (circle := cycle(but, node, known)):
        raise InvalidRule(circle_words(circle, but, known))
    rule = to_json(node)
    if but is not None and (user := pushed_too_far(but, rule, known)):
        raise InvalidRule(
            f"“{known.segments[user].name}” uses this segment and would have too many conditions, or go more "
            f"than {MAX_NESTED} segments deep",
            remedy="Take segments out of this rule, or out of that one first.",
        )
    return rule


def circle_words(circle: list[int], segment_id: int, known: Catalogue) -> str:
    """How segments would use each other in a circle, by name."""
    ring = [one for one in circle if one != segment_id]
    names = [f"“{known.segments[one].name}”" if one in known.segments else f"segment {one}" for one in ring]
    if not names:
        return "A segment cannot be part of its own rule. Take it out"
    path = ", which uses ".join([*names, "this segment"])
    return f"The rule would go round in a circle: it uses {path}. Take one of them out of the rule"


def _name_problem(session: Session, name: str, folded: str, but: int | None) -> str | None:
    if not folded:
        return "Give the segment a name."
    if _unseen(name, _CONTROLS | {"Cf"}, but=_JOINERS) or any(c in _BLANK for c in folded):
        return "The name contains characters that cannot be seen. Type it again instead of pasting it."
    if len(name) > LONGEST_NAME or len(folded) > 2 * LONGEST_NAME:
        return f"The name is too long. Use at most {LONGEST_NAME} characters."
    taken = select(SEGMENT.c.name).where(SEGMENT.c.name_folded == folded, SEGMENT.c.id != (but or 0))
    if other := session.scalar(taken):
        return f"There is already a segment named “{other}”. Choose another name, or change that segment."
    return None


def _description_problem(text: str) -> str | None:
    if _unseen(text.replace("\n", " "), _CONTROLS):
        return "The description contains control characters. Type it again instead of pasting it."
    if len(text) > LONGEST_DESCRIPTION:
        return f"The description is too long. Use at most {LONGEST_DESCRIPTION:,} characters."
    return None


def _unseen(text: str, kinds: set[str], *, but: Collection[int] = ()) -> bool:
    return any(unicodedata.category(c) in kinds and ord(c) not in but for c in text)
