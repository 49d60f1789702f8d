"""Looking at each distinct text of a column once, and spreading what it means over the rows."""

from collections.abc import Callable

import numpy as np
import pandas as pd


def distinct(texts: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """(codes, texts): the place of each row's text among the distinct ones; -1 for an empty cell."""
    codes, found = pd.factorize(texts.astype("str"))
    return codes, found.to_numpy(dtype=object)


def spread(codes: np.ndarray, values: pd.Series, bad: np.ndarray, index: pd.Index):
    """(values, bad) by row from those of the distinct texts; code -1 is a missing value that is not bad."""
    if not len(values):
        nothing = pd.array([None] * len(codes), dtype=values.dtype)
        return pd.Series(nothing, index=index), pd.Series(False, index=index)
    taken = pd.api.extensions.take(values.array, codes, allow_fill=True)
    return pd.Series(taken, index=index), pd.Series(np.append(bad, False)[codes], index=index)


def by_distinct(texts: pd.Series, one: Callable[[str], tuple[object, bool]], dtype: str):
    """(values, bad) of a column, where `one` says (value or None, whether the text is bad) for a text."""
    codes, found = distinct(texts)
    pairs = [one(text) for text in found]
    values = pd.Series(pd.array([value for value, _ in pairs], dtype=dtype))
    return spread(codes, values, np.array([bad for _, bad in pairs], dtype=bool), texts.index)
