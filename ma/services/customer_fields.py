"""What may stand in each field of a customer, for forms and for files alike.

Text is trimmed and Unicode-normalised (NFC) and otherwise kept as typed: 00491701 stays a phone number and
NA a surname. An empty text is unknown (None).
"""

import re
import unicodedata
from datetime import date, datetime

import numpy as np
import pandas as pd

from ma.text import fold, phone_words, words

# Column -> (name in messages, longest text). The lengths are those of the table.
TEXTS: dict[str, tuple[str, int]] = {
    "external_id": ("external id", 100),
    "first_name": ("first name", 100),
    "last_name": ("last name", 100),
    "email": ("e-mail address", 254),
    "phone": ("phone number", 40),
    "gender": ("gender", 20),
    "city": ("city", 100),
    "postal_code": ("postal code", 20),
    "country": ("country", 2),
    "age_band": ("age band", 20),
    "income_band": ("income band", 20),
    "home_ownership": ("home ownership", 40),
    "marital_status": ("marital status", 40),
    "household_size": ("household size", 10),
    "household_composition": ("household composition", 40),
    "kids": ("number of kids", 10),
}
DATES = {"birth_date": "date of birth", "joined_on": "date of joining"}
FLAGS = ("consent_email", "consent_sms", "consent_push", "consent_direct_mail", "consent_ads")
ALL = (*TEXTS, *DATES, *FLAGS)
IDENTITY = ("first_name", "last_name", "email", "external_id")

_FOLDED = {"first_name": 200, "last_name": 200, "email": 254, "city": 200}
_SEARCHED = ("first_name", "last_name", "email", "phone", "city", "postal_code", "external_id")
_EARLIEST = date(1900, 1, 1)
_EMAIL = re.compile(r"""[^\s@,;:<>()\[\]\\"]+@([^\W_]([\w-]*[^\W_])?\.)+[^\W\d_]([\w-]*[^\W_])?""")
_PHONE = re.compile(r"\+?[0-9 ()./-]+( ?(x|ext\.?) ?[0-9]+)?", re.IGNORECASE)
_COUNTRY = re.compile("[A-Z]{2}")
# Direction overrides make a name look like another one.
_DIRECTION = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(values: dict, *, today: date) -> tuple[dict, dict[str, str]]:
    """The values as they are stored, and what is wrong with them: {column: message with the remedy}."""
    cleaned, problems = {}, {}
    for name, value in values.items():
        cleaned[name], problem = _one(name, value, today)
        if problem:
            problems[name] = problem
    return cleaned, problems


def clean_frame(frame: pd.DataFrame, *, today: date) -> tuple[pd.DataFrame, dict[str, str]]:
    """The same for a frame with one customer a row; each distinct value is looked at once."""
    columns, problems = {}, {}
    for name in frame.columns:
        if name not in ALL:
            problems[name] = _unknown(name)
            continue
        series = frame[name].dt.date if pd.api.types.is_datetime64_dtype(frame[name]) else frame[name]
        codes, distinct = pd.factorize(series)
        pairs = [_one(name, value, today) for value in distinct] + [_one(name, None, today)]
        # Code -1, a missing value, picks the last pair.
        stored = np.empty(len(pairs), dtype=object)
        stored[:] = [value for value, _ in pairs]
        columns[name] = pd.Series(stored[codes], index=frame.index, dtype=object)
        wrong = np.array([problem is not None for _, problem in pairs])[codes]
        if wrong.any():
            problem = next(problem for _, problem in pairs if problem)
            problems[name] = rows_with(pd.Series(wrong), f"has a wrong {_label(name)}. {problem}")
    result = pd.DataFrame(columns, index=frame.index)
    for name in FLAGS:
        result[name] = result[name].astype(bool) if name in result and name not in problems else False
    return result, problems


def derived(values: dict) -> dict:
    """The copies that comparing and searching read, from a whole customer's values."""
    folded = {f"{name}_folded": fold(values[name]) if values.get(name) else None for name in _FOLDED}
    return folded | {
        "phone_digits": digits(values["phone"]) if values.get("phone") else None,
        "search_text": search_text([values.get(name) for name in _SEARCHED]),
    }


def derived_frame(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """The same for a frame with one customer a row."""
    columns = {}
    for name in _FOLDED:
        values = frame[name] if name in frame else pd.Series(None, index=frame.index, dtype=object)
        columns[f"{name}_folded"] = values.map(fold, na_action="ignore").astype(object)
    phones = frame["phone"] if "phone" in frame else pd.Series(None, index=frame.index, dtype=object)
    columns["phone_digits"] = phones.map(digits, na_action="ignore").astype(object)
    parts = [frame[name].to_numpy() if name in frame else [None] * len(frame) for name in _SEARCHED]
    columns["search_text"] = pd.Series(
        [search_text(row) for row in zip(*parts, strict=True)], index=frame.index, dtype=object
    )
    return columns


def search_text(parts: list[str | None]) -> str:
    """What a search looks through: the words of the parts in `_SEARCHED`, with a blank between."""
    found = [word for part in parts if part for word in words(part)]
    phone = parts[_SEARCHED.index("phone")]
    return " ".join(found + (phone_words(phone) if phone else []))


def rows_with(wrong: pd.Series, message: str) -> str:
    """'3 rows (4, 17, 23): each …' for the rows that are True."""
    numbers = np.flatnonzero(wrong.to_numpy()) + 1
    shown = ", ".join(str(number) for number in numbers[:5]) + (", …" if len(numbers) > 5 else "")
    if len(numbers) == 1:
        return f"Row {shown} {message}"
    return f"{len(numbers):,} rows ({shown}): each {message}"


def has_unseen(text: str, *, but: str = "") -> bool:
    """Whether a text holds what nobody sees or types: controls, line separators, direction marks."""
    return any((unicodedata.category(c) in _UNSEEN or c in _DIRECTION) and c not in but for c in text)


def digits(text: str) -> str:
    """The digits of a text, as typed: "+49 170-1" is 491701."""
    return "".join(c for c in text if c.isdigit())


def _label(name: str) -> str:
    return TEXTS[name][0] if name in TEXTS else DATES.get(name, name)


def _one(name: str, value, today: date) -> tuple[object, str | None]:
    if name in TEXTS:
        return _text(name, value)
    if name in DATES:
        return _date(name, value, today)
    if name in FLAGS:
        if value is None or isinstance(value, bool | np.bool_):
            return bool(value), None
        return False, "Say yes or no."
    return None, _unknown(name)


def _unknown(name: str) -> str:
    return f"A customer has no field '{name}'. Leave it out."


def _date(name: str, value, today: date) -> tuple[object, str | None]:
    if value is None:
        return None, None
    if not isinstance(value, date) or isinstance(value, datetime):
        return None, f"Give the {DATES[name]} as a calendar date."
    if not _EARLIEST <= value <= today:
        return None, f"The {DATES[name]} must lie between {_EARLIEST} and today. Correct or clear it."
    return value, None


def _text(name: str, value) -> tuple[object, str | None]:
    label, longest = TEXTS[name]
    if value is None:
        return None, None
    if not isinstance(value, str):
        return None, f"Give the {label} as text."
    text = unicodedata.normalize("NFC", value).strip()
    if has_unseen(text):
        return None, f"The {label} contains control characters. Type it again instead of pasting it."
    if not text:
        return None, None
    if name in _FORMATS and (problem := _FORMATS[name](text[: 2 * longest])):
        return None, problem
    if len(text) > longest or (name in _FOLDED and len(fold(text)) > _FOLDED[name]):
        return None, f"The {label} is too long. Use at most {longest:,} characters."
    return text, None


_UNSEEN = {"Cc", "Cs", "Zl", "Zp"}


def _email_problem(text: str) -> str | None:
    local = text.rpartition("@")[0]
    if not _EMAIL.fullmatch(text) or ".." in text or local.startswith(".") or local.endswith("."):
        return "This is not an e-mail address. It should look like name@example.com."
    return None


def _phone_problem(text: str) -> str | None:
    if not _PHONE.fullmatch(text) or sum(c.isdigit() for c in text) < 3:
        return "This is not a phone number. Use digits, spaces and + ( ) - . / only, such as +49 170 1234567."
    return None


def _country_problem(text: str) -> str | None:
    if _COUNTRY.fullmatch(text):
        return None
    return "Give the country as its two capital letters, such as US or DE."


_FORMATS = {"email": _email_problem, "phone": _phone_problem, "country": _country_problem}
