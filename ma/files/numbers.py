"""Numbers and amounts as people write them, read exactly: no step goes through binary fractions."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ma.files.distinct import distinct, spread
from ma.money import digits as decimals_of

# Blanks of all kinds, and the apostrophes of Swiss thousands.
_FILLERS = r"[\s\x{00a0}\x{202f}\x{2009}'’]"
# What may stand before or after an amount: a sign or a code of a currency.
_CURRENCY = r"(?:[A-Z]{3}|[$€£¥₹₺₽₩฿]|kr|zł|Kč|CHF|Fr\.|R\$|US\$)"
_WHOLE_DIGITS = 15


@dataclass(frozen=True)
class NumberFormat:
    """The sign before the decimals, "." or ","; `ambiguous` when the cells could be read either way."""

    decimal: str = "."
    ambiguous: bool = False


POINT = NumberFormat(".")


def number_format(texts: pd.Series) -> NumberFormat:
    """Whether a column has decimal points or commas. "1,234" alone may be either and is ambiguous."""
    codes, found = distinct(texts)
    if not len(found):
        return POINT
    weight = np.bincount(codes[codes >= 0], minlength=len(found))
    column = _stripped(found)
    for_comma = (
        _like(column, r"^[+-]?[0-9.]*[0-9],[0-9]{1,2}$|^[+-]?[0-9.]*[0-9],[0-9]{4,}$|^[+-]?0,[0-9]+$")
        | _like(column, r"^[+-]?[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+$|^[+-]?[0-9]{1,3}(?:\.[0-9]{3}){2,}$")
        | _like(column, r"^[+-]?[0-9]{4,},[0-9]+$")
    )
    for_point = (
        _like(column, r"^[+-]?[0-9,]*[0-9]\.[0-9]{1,2}$|^[+-]?[0-9,]*[0-9]\.[0-9]{4,}$|^[+-]?0\.[0-9]+$")
        | _like(column, r"^[+-]?[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]+$|^[+-]?[0-9]{1,3}(?:,[0-9]{3}){2,}$")
        | _like(column, r"^[+-]?[0-9]{4,}\.[0-9]+$|[eE]")
    )
    either = _like(column, r"^[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}$")
    commas, points = int(weight[for_comma].sum()), int(weight[for_point].sum())
    return NumberFormat("," if commas > points else ".", bool(commas == points and either.any()))


def parse_amounts(texts: pd.Series, fmt: NumberFormat, currency: str) -> tuple[pd.Series, pd.Series]:
    """Amounts of a currency as whole minor units (Int64), half a unit rounded away from zero."""
    return parse_decimals(texts, fmt, decimals_of(currency))


def parse_decimals(texts: pd.Series, fmt: NumberFormat, digits: int) -> tuple[pd.Series, pd.Series]:
    """Numbers times 10**digits as Int64, exactly, half rounded away from zero.

    Thousands may be grouped in threes; a currency's sign or code, a minus before or after, or brackets
    around a negative amount are read. At most 15 digits before the decimals.
    """
    codes, found = distinct(texts)
    values, bad = _scaled(found, fmt, digits)
    return spread(codes, pd.Series(pd.arrays.IntegerArray(values, bad | _blank(found))), bad, texts.index)


def parse_numbers(texts: pd.Series, fmt: NumberFormat = POINT) -> tuple[pd.Series, pd.Series]:
    """Numbers as Float64, each the nearest to what was written."""
    codes, found = distinct(texts)
    parts, bad = _parts(found, fmt)
    plain = [
        float(f"{sign}{whole or 0}.{fraction or 0}e{exponent or 0}") if not wrong else np.nan
        for sign, whole, fraction, exponent, wrong in zip(*parts, bad, strict=True)
    ]
    numbers = np.array(plain, dtype=float)
    infinite = np.isinf(numbers)
    bad = bad | infinite
    values = pd.Series(pd.arrays.FloatingArray(np.where(bad, 0.0, numbers), bad | _blank(found)))
    return spread(codes, values, bad, texts.index)


def _scaled(found: np.ndarray, fmt: NumberFormat, digits: int) -> tuple[np.ndarray, np.ndarray]:
    if not len(found):
        return np.array([], "int64"), np.array([], bool)
    (signs, wholes, fractions, exponents), bad = _parts(found, fmt)
    whole, fraction = pa.array(wholes, pa.large_string()), pa.array(fractions, pa.large_string())
    bad = bad | np.asarray(pc.greater(pc.utf8_length(pc.utf8_ltrim(whole, "0")), _WHOLE_DIGITS))
    sound = pa.array(~bad)
    padded = pc.utf8_rpad(pc.if_else(sound, fraction, ""), digits + 1, "0")
    kept = pc.utf8_slice_codeunits(padded, 0, digits) if digits else pa.array([""] * len(found))
    half = np.asarray(pc.cast(pc.utf8_slice_codeunits(padded, digits, digits + 1), pa.int64())) >= 5
    minor = np.asarray(pc.cast(pc.utf8_lpad(pc.if_else(sound, whole, "0"), 1, "0"), pa.int64())) * 10**digits
    minor = minor + np.asarray(pc.cast(pc.utf8_lpad(kept, 1, "0"), pa.int64())) + half
    minor = np.where(np.array(signs) == "-", -minor, minor)
    for place in np.flatnonzero((np.array(exponents) != "") & ~bad):
        minor[place], bad[place] = _with_exponent(
            signs[place], wholes[place], fractions[place], exponents[place], digits
        )
    return np.where(bad, 0, minor), bad


def _with_exponent(sign: str, whole: str, fraction: str, exponent: str, digits: int) -> tuple[int, bool]:
    from decimal import ROUND_HALF_UP, Decimal

    if len(exponent) > 3:
        return 0, True
    number = Decimal(f"{sign}{whole or 0}.{fraction or 0}e{exponent}").scaleb(digits)
    if abs(number) >= Decimal(10) ** (_WHOLE_DIGITS + digits):
        return 0, True
    return int(number.quantize(Decimal(1), ROUND_HALF_UP)), False


def _parts(found: np.ndarray, fmt: NumberFormat) -> tuple[tuple[list, list, list, list], np.ndarray]:
    """((signs, whole digits, decimals, exponents), bad) of distinct texts; blanks are not bad."""
    if not len(found):
        return ([], [], [], []), np.array([], bool)
    group, point = (",", r"\.") if fmt.decimal == "." else (r"\.", ",")
    grouped = rf"[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]*"
    pattern = rf"^(?P<s>[+-]?)(?P<i>{grouped})(?:{point}(?P<f>[0-9]*))?(?:[eE](?P<e>[+-]?[0-9]+))?$"
    groups = pc.extract_regex(_stripped(found), pattern)
    part = [pc.struct_field(groups, key).fill_null("") for key in "sife"]
    part[1] = pc.replace_substring_regex(part[1], r"[.,]", "")
    no_digit = np.asarray(pc.add(pc.utf8_length(part[1]), pc.utf8_length(part[2]))) == 0
    bad = (no_digit | ~np.asarray(groups.is_valid())) & ~_blank(found)
    return tuple(column.to_pylist() for column in part), bad


def _stripped(found: np.ndarray) -> pa.Array:
    """The texts without blanks, currencies and brackets; a minus stands in front."""
    column = pa.array(found, pa.large_string())
    column = pc.replace_substring_regex(column, "[−–]", "-")
    column = pc.replace_substring_regex(column, _FILLERS, "")
    column = pc.replace_substring_regex(column, r"^\((.+)\)$", r"-\1")
    column = pc.replace_substring_regex(column, rf"^([+-]?){_CURRENCY}([+-]?[0-9.,])", r"\1\2")
    column = pc.replace_substring_regex(column, rf"([0-9.,]){_CURRENCY}(-?)$", r"\1\2")
    return pc.replace_substring_regex(column, r"^([^-+].*)-$", r"-\1")


def _like(column: pa.Array, pattern: str) -> np.ndarray:
    return np.asarray(pc.match_substring_regex(column, pattern).fill_null(False))


def _blank(found: np.ndarray) -> np.ndarray:
    return np.array([not text.strip() for text in found], dtype=bool)
