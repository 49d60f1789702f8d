"""What may stand in the fields that a workspace defines itself, for forms and for files alike.

Kinds are text, number, yes_no, date and list. A value is stored as str, float, bool, date or a tuple of str;
an empty one is unknown (None).
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd

from ma.services.customer_fields import has_unseen
from ma.text import fold

# Kind -> its name on screens.
KINDS = {"text": "Text", "number": "Number", "yes_no": "Yes or no", "date": "Date", "list": "List"}
# Kind -> the column of attribute_value that holds it.
COLUMNS = {"text": "text", "number": "number", "yes_no": "flag", "date": "day", "list": "text"}
LONGEST_TEXT, LONGEST_ITEM, MOST_ITEMS = 1000, 200, 50
# Whole numbers up to here are exact as a float.
GREATEST = 1e15
EARLIEST, LATEST = date(1900, 1, 1), date(2199, 12, 31)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_YES, _NO = {"yes", "y", "true", "1"}, {"no", "n", "false", "0"}


def clean(kind: str, choices: Sequence[str], value: object) -> tuple[object, str | None]:
    """One value as it is stored, and what is wrong with it, with the remedy (None: nothing).

    Text is trimmed and normalised. Where there are choices, a value without regard to case becomes the
    choice as it is spelled. Text is also taken for a number ("12.5"), a date ("2026-12-31"), a yes or no, and
    a list (parted by semicolons, or by commas where there are none).
    """
    if _is_missing(value):
        return None, None
    return _CLEAN[kind](choices, value)


def clean_series(kind: str, choices: Sequence[str], series: pd.Series) -> tuple[pd.Series, pd.Series]:
    """The same for many values: (values, problems), both indexed like the series, None where there is none.

    Each distinct value is looked at once.
    """
    plain = series.astype(object)
    if plain.map(lambda value: isinstance(value, list)).any():
        plain = plain.map(lambda value: tuple(value) if isinstance(value, list) else value)
    # By type too: to Python, True and 1 are the same.
    keys = plain.map(lambda value: None if _is_missing(value) else (type(value).__name__, value))
    codes, distinct = pd.factorize(keys)
    pairs = [*(clean(kind, choices, value) for _, value in distinct), (None, None)]
    values, problems = np.empty(len(pairs), dtype=object), np.empty(len(pairs), dtype=object)
    for place, (value, problem) in enumerate(pairs):  # numpy would take a tuple apart
        values[place], problems[place] = value, problem
    # Code -1, a missing value, picks the last pair.
    return (
        pd.Series(values[codes], index=series.index, dtype=object),
        pd.Series(problems[codes], index=series.index, dtype=object),
    )


def clean_choices(kind: str, choices: Iterable[str]) -> tuple[list[str], str | None]:
    """The choices of a text or list field as they are stored, and what is wrong with them."""
    items, problem = _items(list(choices))
    if problem:
        return [], problem
    if items and kind not in ("text", "list"):
        return [], "Only text and list fields have choices. Clear them, or choose another kind."
    return list(items), None


def _is_missing(value: object) -> bool:
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, list | tuple | set | np.ndarray):
        return len(value) == 0
    return isinstance(value, float) and math.isnan(value)


def _one_text(value: object, longest: int) -> tuple[str, str | None]:
    if not isinstance(value, str):
        return "", "Give text."
    text = unicodedata.normalize("NFC", value).strip()
    if has_unseen(text):
        return "", "The text contains control characters. Type it again instead of pasting it."
    if len(text) > longest or len(fold(text)) > 2 * longest:
        return "", f"The text is too long. Use at most {longest:,} characters."
    return text, None


def _chosen(choices: Sequence[str], text: str) -> tuple[object, str | None]:
    if not choices:
        return text, None
    spelled = {fold(choice): choice for choice in choices}.get(fold(text))
    if spelled is None:
        shown = ", ".join(choices[:5]) + (", …" if len(choices) > 5 else "")
        return None, f"'{text[:40]}' is not one of the choices. Use one of {shown}"
    return spelled, None


def _text(choices: Sequence[str], value: object) -> tuple[object, str | None]:
    text, problem = _one_text(value, LONGEST_TEXT)
    return (None, problem) if problem else _chosen(choices, text)


def _number(_choices: Sequence[str], value: object) -> tuple[object, str | None]:
    wrong = None, "This is not a number. Use digits, and a point for decimals, such as 12.5."
    if isinstance(value, bool | np.bool_):
        return wrong
    if isinstance(value, str):
        text = value.strip().replace("\N{MINUS SIGN}", "-")
        if not _NUMBER.fullmatch(text):
            return wrong
        value = Decimal(text)
    if not isinstance(value, int | float | Decimal | np.integer | np.floating):
        return wrong
    # Before it becomes a float: 10 ** 400 would not fit.
    if not abs(value) <= GREATEST:
        return None, f"The number is too large. Use one between {-GREATEST:,.0f} and {GREATEST:,.0f}."
    return float(value) + 0.0, None  # + 0.0: no negative zero


def _yes_no(_choices: Sequence[str], value: object) -> tuple[object, str | None]:
    if isinstance(value, bool | np.bool_):
        return bool(value), None
    word = fold(value) if isinstance(value, str) else str(value)
    if word in _YES or word in _NO:
        return word in _YES, None
    return None, "Say yes or no."


def _date(_choices: Sequence[str], value: object) -> tuple[object, str | None]:
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value.strip())
        except ValueError:
            return None, "This is not a calendar date. Write it as 2026-12-31."
    if not isinstance(value, date) or isinstance(value, datetime):
        return None, "Give a calendar date, without a time."
    if not EARLIEST <= value <= LATEST:
        return None, f"The date must lie between {EARLIEST} and {LATEST}. Correct or clear it."
    return value, None


def _list(choices: Sequence[str], value: object) -> tuple[object, str | None]:
    if isinstance(value, str):
        value = value.split(";" if ";" in value else ",")
    if not isinstance(value, Iterable):
        return None, "Give a list of texts."
    items, problem = _items(list(value))
    if problem:
        return None, problem
    chosen = [_chosen(choices, item) for item in items]
    if problems := [problem for _, problem in chosen if problem]:
        return None, problems[0]
    return tuple(item for item, _ in chosen) or None, None


def _items(value: list) -> tuple[tuple[str, ...], str | None]:
    """Trimmed items, each once without regard to case, in order."""
    kept: dict[str, str] = {}
    for item in value:
        if _is_missing(item):
            continue
        text, problem = _one_text(item, LONGEST_ITEM)
        if problem:
            return (), problem
        kept.setdefault(fold(text), text)
    if len(kept) > MOST_ITEMS:
        return (), f"The list is too long. Use at most {MOST_ITEMS} entries."
    return tuple(kept.values()), None


_CLEAN = {"text": _text, "number": _number, "yes_no": _yes_no, "date": _date, "list": _list}
