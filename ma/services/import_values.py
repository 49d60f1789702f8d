"""A file's columns as values: what cannot be read is rejected with its remedy."""

import unicodedata
from datetime import date
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ma.files import values as reading
from ma.services import customer_fields as fields
from ma.services.import_plans import TEXT, Rows

# What needs no second look: nothing to normalise, to trim or to fold but its letters' case.
_PLAIN = r"^[!-~]([ -~]*[!-~])?$"
_PLAIN_FORMATS = {
    "email": r"^[A-Za-z0-9_+'-]+(\.[A-Za-z0-9_+'-]+)*@([A-Za-z0-9]+(-[A-Za-z0-9]+)*\.)+[A-Za-z]+$",
    "phone": r"^\+?[0-9][0-9 ()./-]*[0-9][0-9 ()./-]*[0-9]$",
    "country": "^[A-Z]{2}$",
}
ALLOWED_LATER = "The time lies in the future. Correct it, or check the date format."


def arrow(series: pd.Series) -> pa.Array:
    """A column of text as one Arrow array."""
    column = pa.array(series, pa.large_string())
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def texts(rows: Rows, name: str, clean) -> pd.Series:
    """A text column as it is stored, by `clean` (text -> (value, problem)) of each distinct text."""
    return objects(rows, name, clean).astype(TEXT)


def objects(rows: Rows, name: str, clean) -> pd.Series:
    """The same for values of any kind; None where there is none."""
    codes, distinct = pd.factorize(rows.texts(name))
    stored, problems = np.empty(len(distinct) + 1, dtype=object), np.empty(len(distinct) + 1, dtype=object)
    for place, text in enumerate(distinct):  # numpy would take a tuple apart
        stored[place], problems[place] = clean(text)
    found = pd.Series(problems[codes], dtype=object)
    rows.reject(found.notna(), name, found)
    return pd.Series(stored[codes], dtype=object)


def short(words: str, longest: int):
    """What cleans a text of at most so many characters; `words` name it in messages."""

    def clean(text: str) -> tuple[str | None, str | None]:
        stored = unicodedata.normalize("NFC", text).strip()
        if not (stored.isascii() and stored.isprintable()) and fields.has_unseen(stored):
            return None, f"The {words} contains control characters. Type it again."
        if len(stored) > longest:
            return None, f"The {words} is too long. Use at most {longest} characters."
        return stored or None, None

    return clean


def short_texts(rows: Rows, name: str, words: str, longest: int) -> pd.Series:
    """A text column of at most so many characters, as it is stored; `words` name it in messages."""
    return _mostly_plain(rows, name, _PLAIN, longest, short(words, longest))


def customer_text(rows: Rows, name: str) -> pd.Series:
    """A customer's text field as it is stored."""
    longest = fields.TEXTS[name][1]
    return _mostly_plain(rows, name, _PLAIN_FORMATS.get(name, _PLAIN), longest, partial(_clean, name))


def _mostly_plain(rows: Rows, name: str, pattern: str, longest: int, clean) -> pd.Series:
    """A text column by `clean` (text -> (value, problem)), asked only of what does not fit the pattern.

    Most texts do, and one regular expression over a column is much faster.
    """
    column = arrow(rows.texts(name))
    plain = pc.and_(
        pc.match_substring_regex(column, pattern), pc.less_equal(pc.binary_length(column), longest)
    )
    odd = ~np.asarray(plain.fill_null(True))
    if not odd.any():
        return pd.Series(column, dtype=TEXT)
    some = column.filter(pa.array(odd)).dictionary_encode()
    pairs = [clean(text) for text in some.dictionary.to_pylist()]
    codes = np.asarray(some.indices)
    cleaned = pa.array([value for value, _ in pairs], pa.large_string()).take(some.indices)
    problems = np.full(len(rows), None, dtype=object)
    problems[odd] = np.array([problem for _, problem in pairs], dtype=object)[codes]
    rows.reject(np.array([p is not None for p in problems]), name, pd.Series(problems))
    return pd.Series(pc.replace_with_mask(column, pa.array(odd), cleaned), dtype=TEXT)


def countries(rows: Rows, name: str = "country") -> tuple[pd.Series, pd.Series]:
    """(ISO 3166 alpha-2, unreadable) of a column of countries."""
    values, bad = reading.parse_countries(rows.texts(name))
    return values.astype(TEXT), bad


def days(rows: Rows, name: str) -> pd.Series:
    """Calendar days as datetime64."""
    column = rows.texts(name)
    form = _date_format(rows, name, column)
    if form is None:
        rows.reject(column.notna(), name, _NO_DATE)
        return pd.Series(np.full(len(rows), np.datetime64("NaT"), "datetime64[us]"))
    values, bad = reading.parse_dates(column, form)
    rows.reject(bad, name, f"This is not a date such as {form.example}. Correct it, or choose its format.")
    return values


def moments(rows: Rows, name: str, *, timezone: str, latest: pd.Timestamp) -> pd.Series:
    """Instants in UTC; none lies after `latest`, nor before 1970."""
    column = rows.texts(name)
    form = _date_format(rows, name, column)
    if form is None:
        rows.reject(column.notna(), name, _NO_DATE)
        return pd.Series(pd.NaT, index=range(len(rows)), dtype="datetime64[us, UTC]")
    values, bad = reading.parse_moments(column, form, rows.options.timezone or timezone)
    rows.reject(
        bad, name, f"This is not a time such as {form.example} 17:30. Correct it, or choose its format."
    )
    rows.reject(values > latest, name, ALLOWED_LATER)
    rows.reject(values < pd.Timestamp(0, tz="UTC"), name, "The time lies before 1970. Correct it.")
    return values


def flags(rows: Rows, name: str) -> pd.Series:
    """Yes, no, or missing."""
    values, bad = reading.parse_yes_no(rows.texts(name))
    rows.reject(bad, name, "Say yes or no.")
    return values


def decimals(rows: Rows, name: str, digits: int) -> pd.Series:
    """Numbers times 10**digits, exactly, as Int64."""
    column = rows.texts(name)
    values, bad = reading.parse_decimals(column, _number_format(rows, column), digits)
    rows.reject(bad, name, "This is not a number such as 1234.50. Correct it, or choose the decimal sign.")
    return values


def numbers(rows: Rows, name: str) -> pd.Series:
    """Numbers as floats."""
    column = rows.texts(name)
    values, bad = reading.parse_numbers(column, _number_format(rows, column))
    rows.reject(bad, name, "This is not a number such as 1234.50. Correct it, or choose the decimal sign.")
    return values


_NO_DATE = "No date format reads this column. Write dates as 2026-12-31."


def _clean(name: str, text: str) -> tuple[object, str | None]:
    # No field of text asks what day it is.
    cleaned, problems = fields.clean({name: text}, today=date.max)
    return cleaned[name], problems.get(name)


def _number_format(rows: Rows, column: pd.Series) -> reading.NumberFormat:
    if rows.options.decimal:
        return reading.NumberFormat(rows.options.decimal)
    return reading.number_format(column)


def _date_format(rows: Rows, name: str, column: pd.Series) -> "reading.DateFormat | None":
    """The format a person chose, or the likeliest."""
    chosen = rows.options.date_format
    if isinstance(chosen, dict):
        chosen = chosen.get(name)
    if isinstance(chosen, str) and chosen:
        return reading.date_format(chosen)
    if chosen:
        return chosen
    found = reading.date_formats(column)
    return found[0] if found else None
