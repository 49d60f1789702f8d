"""What a message may say about its reader: an allow-list of fields in {{ }}; nothing is ever evaluated."""

import re
from collections.abc import Mapping
from difflib import get_close_matches

# Anything else in {{ }} is refused.
MERGE_FIELDS = ("first_name", "last_name", "city", "favourite_category")

_EXAMPLE = 'Write it like {{ first_name | default: "there" }}.'
_TOKEN = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_MERGE = re.compile(r'\s*(\w+)\s*(?:\|\s*default:\s*"([^"{}]*)"\s*)?')


def problem(text: str) -> str | None:
    """What is wrong with the merge fields of a text, with the remedy; None when all is well."""
    for inner in _TOKEN.findall(text):
        found = _MERGE.fullmatch(inner)
        if not found:
            return f"“{{{{{inner}}}}}” is not a merge field. {_EXAMPLE}"
        if found[1] not in MERGE_FIELDS:
            near = get_close_matches(found[1], MERGE_FIELDS, n=1)
            hint = f"Did you mean “{near[0]}”?" if near else f"There are: {', '.join(MERGE_FIELDS)}."
            return f"There is no merge field “{found[1]}”. {hint}"
    if "{{" in (rest := _TOKEN.sub("", text)) or "}}" in rest:
        return f"A merge field is not closed. {_EXAMPLE}"
    return None


def used(text: str) -> set[str]:
    """The fields that a text names and that there are."""
    found = (_MERGE.fullmatch(inner) for inner in _TOKEN.findall(text))
    return {match[1] for match in found if match and match[1] in MERGE_FIELDS}


def render(text: str, person: Mapping[str, str | None]) -> str:
    """The text as one person reads it: their value, or the default where theirs is missing or empty.

    What is no merge field stays as it stands. Values are not looked through for merge fields again.
    """

    def value(token: re.Match) -> str:
        found = _MERGE.fullmatch(token[1])
        if not found or found[1] not in MERGE_FIELDS:
            return token[0]
        return person.get(found[1]) or found[2] or ""

    return _TOKEN.sub(value, text)
