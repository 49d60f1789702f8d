"""What stands in a body: one JSON document in which no key stands twice."""

import json

from ma.errors import InvalidInput
from ma.rules.refusals import join, shown


def document(body: bytes) -> object:
    """What a body says. Raises InvalidInput where that is no JSON, or a key stands twice in one object.

    JSON itself would keep the last of two in silence: a rule with a condition less is a wider audience.
    """
    doubled: list[tuple[dict, str]] = []

    def once(pairs: list[tuple[str, object]]) -> dict:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            doubled.append((found, next(key for key, _ in pairs if key in seen or seen.add(key))))
        return found

    try:
        data = json.loads(body, object_pairs_hook=once)
    except (ValueError, RecursionError):  # a ValueError, too: no UTF-8, or an integer of thousands of digits
        words = "The body cannot be read as JSON. Send one JSON document in UTF-8."
        raise InvalidInput({"body": words}) from None
    if doubled:
        # The last one was kept, whatever was dropped before it with another doubled key.
        where, key = doubled[-1]
        words = f"The key {shown(key)} stands twice in one object. Keep one of them."
        raise InvalidInput({join(_place(data, where), key): words})
    return data


def _place(data: object, wanted: dict) -> str:
    waiting = [("", data)]
    while waiting:
        path, here = waiting.pop()
        if here is wanted:
            return path
        match here:
            case dict():
                waiting += [(join(path, key), inner) for key, inner in here.items()]
            case list():
                waiting += [(f"{path}[{i}]", inner) for i, inner in enumerate(here)]
    return ""
