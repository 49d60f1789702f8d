"""Purchase histories summed up by customer: checked, and alike ones counted together."""

import numpy as np
import pandas as pd

DAYS_PER_WEEK = 7.0


class BadSummary(ValueError):
    """A summary that no model can take: `problem` says what to do, `row` at which position, if at one."""

    def __init__(self, problem: str, row: int | None = None):
        self.problem, self.row = problem, row
        super().__init__(problem if row is None else f"Row {row + 1}: {problem}")


def in_weeks(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary with recency and T, stored in days, in weeks: the unit of the parameters."""
    return summary.assign(recency=summary["recency"] / DAYS_PER_WEEK, T=summary["T"] / DAYS_PER_WEEK)


def purchase_columns(summary: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """frequency, recency and T as floats.

    Raises BadSummary for what is missing, not a number, negative or impossible.
    """
    frequency, recency, age = (_numbers(summary, name) for name in ("frequency", "recency", "T"))
    broken = frequency != np.floor(frequency)
    _refuse(broken, "frequency {:g} is not a whole number. It counts repeat purchases.", frequency)
    late = recency > age
    _refuse(late, "recency {:g} is more than T {:g}. Both count from the first purchase.", recency, age)
    lone = (frequency == 0.0) & (recency > 0.0)
    _refuse(lone, "recency is {:g} without a repeat purchase. Write 0 where frequency is 0.", recency)
    same = (frequency > 0.0) & (recency == 0.0)
    _refuse(same, "recency is 0, but frequency {:g}. A repeat purchase is later than the first.", frequency)
    return frequency, recency, age


def order_columns(summary: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """frequency and monetary_value as floats, both 0 where there is no known amount of repeat purchases.

    An amount that is missing, 0 or below tells nothing of an order's value (goods given away, or returned).

    Raises BadSummary for what is missing, not a number, or infinite.
    """
    frequency = _numbers(summary, "frequency")
    value = _column(summary, "monetary_value")
    _refuse(np.isinf(value), "monetary_value is infinite. Write the mean amount, or nothing.")
    known = (frequency > 0.0) & (np.nan_to_num(value) > 0.0)
    return np.where(known, frequency, 0.0), np.where(known, value, 0.0)


def weight_column(summary: pd.DataFrame) -> np.ndarray:
    """How many customers each row stands for: `weight`, or one."""
    if "weight" not in summary:
        return np.ones(len(summary))
    return _numbers(summary, "weight")


def alike(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each distinct combination, and for each row the number of its combination."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        place, values = pd.factorize(column)
        # Numbered anew each time, or the product of many distinct values would not fit.
        code = pd.factorize(code * len(values) + place)[0]
    first = np.empty(code.max(initial=-1) + 1, dtype=np.int64)
    first[code[::-1]] = np.arange(len(code))[::-1]
    return first, code


def _column(summary: pd.DataFrame, name: str) -> np.ndarray:
    if name not in summary:
        there = ", ".join(map(str, summary.columns)) or "none"
        raise BadSummary(f"There is no column {name}. The columns are: {there}. Rename the one that it is.")
    values = summary[name]
    if not pd.api.types.is_numeric_dtype(values):
        numbers = pd.to_numeric(values, errors="coerce")
        bad = (numbers.isna() & values.notna()).to_numpy(bool)
        _refuse(bad, f"{name} {{!r}} is not a number. Write it like 1234.5.", values.to_numpy(object))
        values = numbers
    return values.to_numpy(np.float64, na_value=np.nan)


def _numbers(summary: pd.DataFrame, name: str) -> np.ndarray:
    values = _column(summary, name)
    _refuse(~np.isfinite(values), f"{name} is missing or infinite. Fill it in, or leave out the row.")
    _refuse(values < 0.0, f"{name} {{:g}} is negative. It counts up from 0.", values)
    return values


def _refuse(bad: np.ndarray, words: str, *values: np.ndarray) -> None:
    """Raise BadSummary of the first bad row, its values written into the words."""
    if bad.any():
        at = int(np.argmax(bad))
        raise BadSummary(words.format(*(column[at] for column in values)), at)
