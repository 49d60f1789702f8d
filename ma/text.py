"""Reading and folding text, so that comparison and search mean the same on every engine."""

import unicodedata


def fold(text: str) -> str:
    """Text without regard to case or Unicode form: what rules compare."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()


# Letters that Unicode does not take apart into a base letter and a mark.
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)


def fold_accents(text: str) -> str:
    """Text without regard to case, Unicode form or accents: what search compares."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).strip()


def whole_number(text: str, *, digits: int = 9) -> int | None:
    """The number that plain digits spell; None for anything else, and where there are more digits.

    9 digits fit into every integer column, 18 into a big one; a database fails on more.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None
