"""Dates and times as people write them: the format of a column found, said, and read.

A column has one order of day, month and year. `.`, `/` and `-` are read alike; a time may follow, with a
zone or without. Years of two digits are those of 1969 to 2068.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ma.errors import InvalidInput
from ma.files.distinct import distinct, spread

_YEAR, _MONTH, _DAY = r"(?P<y>[0-9]{4})", r"(?P<m>[0-9]{1,2})", r"(?P<d>[0-9]{1,2})"
_ANY_YEAR = r"(?P<y>[0-9]{4}|[0-9]{2})"
_WORD = r"(?P<w>\p{L}{3,10})\.?"
_TIME = (
    r"(?:(?:T|,? +)(?P<H>[0-9]{1,2}):(?P<M>[0-9]{2})(?::(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?)?"
    r" ?(?P<p>[AaPp]\.?[Mm]\.?)?(?: ?(?P<z>Z|UTC|[+-][0-9]{2}:?[0-9]{2}))?)?"
)


@dataclass(frozen=True)
class DateFormat:
    """How a column's dates are written. `name` is for options, `label` and `example` are for people.

    `ambiguous`: another format reads the same cells, as other days.
    """

    name: str
    label: str
    example: str
    ambiguous: bool = False


# Best first where several read a column: the first of two that differ in it is the commoner one.
_PATTERNS: dict[str, tuple[DateFormat, str]] = {
    form.name: (form, rf"^\s*{pattern}{_TIME}\s*$")
    for form, pattern in [
        (DateFormat("ymd", "year-month-day", "2026-12-31"), rf"{_YEAR}[-/.]{_MONTH}[-/.]{_DAY}"),
        (DateFormat("dmy", "day.month.year", "31.12.2026"), rf"{_DAY}[-/.] ?{_MONTH}[-/.] ?{_ANY_YEAR}"),
        (DateFormat("mdy", "month/day/year", "12/31/2026"), rf"{_MONTH}[-/.] ?{_DAY}[-/.] ?{_ANY_YEAR}"),
        (
            DateFormat("compact", "yearmonthday", "20261231"),
            r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})",
        ),
        (
            DateFormat("d_month_y", "day month-name year", "31 Dec 2026"),
            rf"{_DAY}[. -]+{_WORD}[., -]+{_ANY_YEAR}",
        ),
        (
            DateFormat("month_d_y", "month-name day, year", "Dec 31, 2026"),
            rf"{_WORD} +{_DAY}(?:st|nd|rd|th)?,? +{_YEAR}",
        ),
    ]
}
_MONTHS = {
    word: number
    for number, names in enumerate(
        [
            "jan january januar jän jänner janvier",
            "feb february februar février",
            "mar march mär märz mrz mars",
            "apr april avril",
            "may mai",
            "jun june juni juin",
            "jul july juli juillet",
            "aug august août",
            "sep sept september septembre",
            "oct october okt oktober octobre",
            "nov november novembre",
            "dec december dez dezember décembre",
        ],
        1,
    )
    for word in names.split()
}
_FIRST = 1_000
_PARTS = ("y", "m", "d", "w", "H", "M", "S", "f", "p", "z")


def date_formats(texts: pd.Series) -> list[DateFormat]:
    """The formats that read every filled cell, best first; where none does, those that read the most.

    Empty where no format reads at least half of the filled cells. The first is `ambiguous` when the second
    reads the cells as other days.
    """
    codes, found = distinct(texts)
    filled = np.bincount(codes[codes >= 0], minlength=len(found))
    # Whatever fails to read one of the first cells does not read all; that mostly leaves one or two.
    likely = [name for name in _PATTERNS if not _read(found[:_FIRST], name)[2].any()]
    read = _counted(found, filled, likely)
    if not any(count == filled.sum() for count, _ in read.values()):
        read = _counted(found, filled, _PATTERNS)
    most = max((count for count, _ in read.values()), default=0)
    if most == 0 or most * 2 < filled.sum():
        return []
    best = [name for name, (count, _) in read.items() if count == most]
    return [replace(_PATTERNS[name][0], ambiguous=_differs(name, best, read)) for name in best]


def _counted(found: np.ndarray, filled: np.ndarray, names) -> dict[str, tuple[int, np.ndarray]]:
    """By format: how many cells it reads, and as what."""
    read = {}
    for name in names:
        when, _, bad = _read(found, name)
        read[name] = (int(filled[~bad].sum()), when)
    return read


def date_format(text: str) -> DateFormat:
    """A format by its name, label or example, or as DD.MM.YYYY. Raises InvalidInput with the choices."""
    wanted = text.strip().lower()
    for form, _ in _PATTERNS.values():
        if wanted in (form.name, form.label, form.example.lower()):
            return form
    letters = "".join(c for c in dict.fromkeys(wanted.replace("%", "")) if c in "dmy")
    if letters in _PATTERNS:
        return _PATTERNS[letters][0]
    choices = ", ".join(f"{form.name} ({form.example})" for form, _ in _PATTERNS.values())
    raise InvalidInput({"date_format": f"'{text}' is no date format. Choose one of {choices}."})


def all_date_formats() -> list[DateFormat]:
    """Every format there is, for choosing by hand."""
    return [form for form, _ in _PATTERNS.values()]


def parse_dates(texts: pd.Series, fmt: DateFormat) -> tuple[pd.Series, pd.Series]:
    """Calendar days as datetime64[us] at midnight; a time in the cell is left out."""
    codes, found = distinct(texts)
    when, _, bad = _read(found, fmt.name)
    days = pd.Series(when.astype("datetime64[D]").astype("datetime64[us]"))
    return spread(codes, days, bad, texts.index)


def parse_moments(texts: pd.Series, fmt: DateFormat, timezone: str) -> tuple[pd.Series, pd.Series]:
    """Instants as datetime64[us, UTC]; a cell without a zone is local time of `timezone`.

    A local time that a clock change skips is moved to its end; of one that happens twice, the first is meant.
    """
    codes, found = distinct(texts)
    when, offset, bad = _read(found, fmt.name)
    local = pd.Series(when)
    placed = local.dt.tz_localize(
        timezone, ambiguous=np.ones(len(local), dtype=bool), nonexistent="shift_forward"
    ).dt.tz_convert("UTC")
    zoned = ~np.isnan(offset)
    minutes = pd.to_timedelta(pd.Series(np.where(zoned, offset, 0)), unit="min").astype("timedelta64[us]")
    given = (local - minutes).dt.tz_localize("UTC")
    moments = placed.where(~zoned, given).astype("datetime64[us, UTC]")
    return spread(codes, moments, bad, texts.index)


def _differs(name: str, best: list[str], read: dict) -> bool:
    own = read[name][1]
    return any(not np.array_equal(own, read[other][1], equal_nan=True) for other in best if other != name)


def _read(found: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(local time, minutes east of UTC or NaN, bad) of distinct texts; nothing but blanks is not bad."""
    if not len(found):
        return np.array([], "datetime64[us]"), np.array([], float), np.array([], bool)
    column = pa.array(found, pa.large_string())
    groups = pc.extract_regex(column, _PATTERNS[name][1])
    fields = {field.name for field in groups.type}
    part = {key: pc.struct_field(groups, key) for key in _PARTS if key in fields}
    number = {key: _whole(part[key]) for key in ("y", "m", "d", "H", "M", "S") if key in part}
    if "w" in part:
        words = pd.Series(part["w"].to_pylist(), dtype=object).str.casefold()
        number["m"] = words.map(_MONTHS).fillna(-1).to_numpy(dtype="int64")
    short = np.asarray(pc.equal(pc.utf8_length(part["y"]), 2).fill_null(False))
    year = np.where(short, number["y"] + np.where(number["y"] < 69, 2000, 1900), number["y"])
    afternoon = _afternoon(part["p"], number["H"])
    hour = np.where(afternoon >= 0, number["H"] % 12 + 12 * afternoon, number["H"])
    ok = np.asarray(groups.is_valid()) & (year > 0)
    ok &= (number["m"] >= 1) & (number["m"] <= 12) & (number["d"] >= 1)
    ok &= (hour < 24) & (number["M"] < 60) & (number["S"] < 60) & (afternoon > -2)
    month = (np.where(ok, year, 2000) - 1970).astype("datetime64[Y]").astype("datetime64[M]")
    month = month + np.where(ok, number["m"] - 1, 0)
    day = month.astype("datetime64[D]") + np.where(ok, number["d"] - 1, 0)
    ok &= day.astype("datetime64[M]") == month
    fraction = _whole(pc.utf8_slice_codeunits(pc.utf8_rpad(part["f"], 6, "0"), 0, 6))
    seconds = (np.maximum(hour, 0) * 60 + np.maximum(number["M"], 0)) * 60 + np.maximum(number["S"], 0)
    offset = _offset(part["z"])
    ok &= ~(np.abs(offset) > 15 * 60)
    when = day.astype("datetime64[us]") + (seconds * 1_000_000 + np.maximum(fraction, 0))
    when[~ok] = np.datetime64("NaT")
    blank = np.asarray(pc.equal(pc.utf8_trim_whitespace(column), ""))
    return when, np.where(ok, offset, np.nan), ~ok & ~blank


def _whole(digits: pa.Array) -> np.ndarray:
    """Digits as numbers; -1 where there are none."""
    filled = pc.if_else(pc.equal(pc.utf8_length(digits), 0), None, digits)
    return np.asarray(pc.cast(filled, pa.int64()).fill_null(-1))


def _afternoon(marks: pa.Array, hour: np.ndarray) -> np.ndarray:
    """1 for p.m., 0 for a.m., -1 for neither, -2 where the hour has no such half."""
    first = pc.utf8_lower(pc.utf8_slice_codeunits(marks, 0, 1)).fill_null("")
    half = np.where(np.asarray(pc.equal(first, "p")), 1, np.where(np.asarray(pc.equal(first, "a")), 0, -1))
    return np.where((half >= 0) & ((hour < 1) | (hour > 12)), -2, half)


def _offset(zones: pa.Array) -> np.ndarray:
    """Minutes east of UTC; NaN where no zone is given."""
    given = zones.fill_null("")
    codes, found = pd.factorize(np.asarray(given.to_pylist(), dtype=object))
    return np.array([_minutes(zone) for zone in found], dtype=float)[codes]


def _minutes(zone: str) -> float:
    if zone in ("Z", "UTC"):
        return 0.0
    if not zone:
        return float("nan")
    sign = -1 if zone[0] == "-" else 1
    return sign * (int(zone[1:3]) * 60 + int(zone[-2:]))
