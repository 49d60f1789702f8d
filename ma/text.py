"""Reading and folding text, so that comparison and search mean the same on every engine."""

import re
import unicodedata
from decimal import Decimal


def fold(text: str) -> str:
    """Text without regard to case, Unicode form or blanks around it: what rules compare."""
    return fold_part(text).strip()


def fold_part(text: str) -> str:
    """A part of a text likewise, but with the blanks around it: they stand between words."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


# Letters that Unicode does not take apart into a base letter and a mark.
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)


def fold_accents(text: str) -> str:
    """Text without regard to case, Unicode form or accents: what search compares."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).strip()


_ASCII_WORD = re.compile("[a-z0-9]+")


def words(text: str) -> list[str]:
    """The words of a text as search compares them: letters, digits and their marks, folded, in order."""
    folded = fold_accents(text)
    if folded.isascii():
        return _ASCII_WORD.findall(folded)
    return "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in folded).split()


def phone_words(phone: str) -> list[str]:
    """What people may type to find a phone number: its digits from every gap on, without leading zeros.

    "+49 170 1234567" is found by 491701…, 1701… (and so 0170…) and 1234…. Where an international number has
    no gaps, its country code may have one to three digits.
    """
    groups = re.findall("[0-9]+", phone)
    tails = ["".join(groups[i:]) for i in range(len(groups))]
    if len(groups) == 1 and phone.strip().startswith(("+", "00")):
        digits = groups[0].lstrip("0")
        tails += [digits[1:], digits[2:], digits[3:]]
    return [tail for tail in (tail.lstrip("0") for tail in tails) if len(tail) >= 3]


def in_sentence(title: str) -> str:
    """A title as it stands in the middle of a sentence: "Age band" is written small, "RFM segment" is not."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def significant(number: float, digits: int = 3) -> str:
    """A number with so many significant digits, and every digit before the point: 12,345, 0.00126."""
    if abs(number) >= 10 ** (digits - 1):
        return f"{number:,.0f}"
    return f"{Decimal(f'{number:.{digits}g}'):f}"


def whole_number(text: str, *, digits: int = 9) -> int | None:
    """The number that plain digits spell; None for anything else, and where there are more digits.

    9 digits fit into every integer column, 18 into a big one; a database fails on more.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None
