"""The folded copies and search texts of many customers: equal to `customer_fields.derived`, in columns."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ma.services import customer_fields as fields
from ma.services.import_plans import TEXT
from ma.services.import_values import arrow
from ma.text import fold, phone_words, words

SEARCHED = ("first_name", "last_name", "email", "phone", "city", "postal_code", "external_id")
FOLDED = ("first_name", "last_name", "email", "city")
COLUMNS = (*(f"{name}_folded" for name in FOLDED), "phone_digits", "search_text")
_PART = 50_000
# Each holds the intermediate columns of its part.
_AT_ONCE = 2


def derived(frame: pd.DataFrame) -> pd.DataFrame:
    """The derived columns of whole customers, one a row; a field that is no column is unknown."""
    # Words are Python objects for a moment: those of a million people would take 500 MB.
    parts = [frame.iloc[start : start + _PART] for start in range(0, len(frame), _PART)]
    if len(parts) < 2:
        return _derived(frame)
    # Arrow works outside the interpreter's lock.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return pd.concat(pool.map(_derived, parts))


def _derived(frame: pd.DataFrame) -> pd.DataFrame:
    index = frame.index
    columns = {f"{name}_folded": fold_column(frame[name]) for name in FOLDED if name in frame}
    if "phone" in frame:
        columns["phone_digits"] = digits_column(frame["phone"])
    columns["search_text"] = _search_text(frame)
    empty = pd.Series(np.nan, index=index, dtype=TEXT)
    return pd.DataFrame({name: columns.get(name, empty) for name in COLUMNS}, index=index)


def fold_column(values: pd.Series) -> pd.Series:
    """`text.fold` of a column that is trimmed."""
    return _texts(values, pc.ascii_lower, fold)


def digits_column(values: pd.Series) -> pd.Series:
    """`customer_fields.digits` of a column."""
    return _texts(values, lambda a: pc.replace_substring_regex(a, "[^0-9]+", ""), fields.digits)


def _words(values: pd.Series) -> pa.Array:
    return arrow(_texts(values, _plain_words, lambda text: " ".join(words(text))))


def _plain_words(column: pa.Array) -> pa.Array:
    lower = pc.ascii_lower(column)
    several = pc.fill_null(pc.invert(pc.ascii_is_alnum(lower)), False)
    if not pc.any(several).as_py():
        return lower
    apart = pc.replace_substring_regex(lower.filter(several), "[^a-z0-9]+", " ")
    return pc.replace_with_mask(lower, several, pc.ascii_trim(apart, " "))


def _search_text(frame: pd.DataFrame) -> pd.Series:
    parts = [_words(frame[name]) for name in SEARCHED if name in frame]
    if "phone" in frame:
        parts.append(_phone_words(frame["phone"]))
    if not parts:
        return pd.Series("", index=frame.index, dtype=TEXT)
    return pd.Series(_joined(parts), index=frame.index, dtype=TEXT)


def _joined(parts: list[pa.Array]) -> pa.Array:
    """The texts of each row that are neither null nor empty, with one blank between them."""
    known = [pc.if_else(pc.equal(part, ""), pa.scalar(None, part.type), part) for part in parts]
    # The first is never null: rows in which all are get lost.
    first = pa.array([""]).cast(pa.large_string()).take(pa.array(np.zeros(len(parts[0]), dtype="int64")))
    blank = pa.scalar(" ", pa.large_string())
    return pc.ascii_ltrim(pc.binary_join_element_wise(first, *known, blank, null_handling="skip"), " ")


def _phone_words(values: pd.Series) -> pa.Array:
    """`text.phone_words` of a column; one by one where a country code may stand without a gap."""
    column = pc.utf8_trim(pc.replace_substring_regex(arrow(values), "[^0-9]+", " "), " ")
    left, tails = column, []
    while pc.any(pc.not_equal(left, "")).as_py():
        tail = pc.replace_substring_regex(pc.replace_substring(left, " ", ""), "^0+", "")
        long_enough = pc.fill_null(pc.greater_equal(pc.utf8_length(tail), 3), False)
        tails.append(pc.if_else(long_enough, tail, ""))
        left = pc.replace_substring_regex(left, "^[0-9]+ ?", "")
    result = _joined(tails) if tails else column
    one_group = pc.match_substring_regex(arrow(values), r"^\s*(\+|00)[^0-9]*[0-9]+[^0-9]*$")
    odd = np.asarray(one_group.fill_null(False)) | ~_is_ascii(arrow(values))
    if odd.any():
        others = _distinct(values[odd], lambda text: " ".join(phone_words(text)))
        result = pc.replace_with_mask(result, pa.array(odd), arrow(others))
    return result


def _is_ascii(column: pa.Array) -> np.ndarray:
    return np.asarray(pc.string_is_ascii(column).fill_null(True))


def _texts(values: pd.Series, plain, each) -> pd.Series:
    """`plain` (a column at once) where all is ASCII, else `each` (one text) of the distinct others."""
    column = arrow(values)
    odd = ~_is_ascii(column)
    result = plain(column)
    if odd.any():
        others = _distinct(pd.Series(column.filter(pa.array(odd)), dtype=TEXT), each)
        result = pc.replace_with_mask(result, pa.array(odd), arrow(others))
    return pd.Series(result, index=values.index, dtype=TEXT)


def _distinct(values: pd.Series, each) -> pd.Series:
    coded = arrow(values).dictionary_encode()
    found = pa.array([each(text) for text in coded.dictionary.to_pylist()], pa.large_string())
    return pd.Series(found.take(coded.indices), index=values.index, dtype=TEXT)
