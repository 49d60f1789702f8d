"""Is who is said to come back somebody who comes back? Predicted chances against what happened."""

from statistics import NormalDist

import numpy as np
import pandas as pd

LEVEL = 0.95


def calibration(predicted, bought_again, bins: int = 10) -> pd.DataFrame:
    """A calibration curve: customers in groups of (nearly) the same size by what was predicted of them.

    predicted must be the chance of what is then observed: `order_chance` over the time held out. P(alive)
    cannot be checked like that, as nobody sees who is active; of a good model more are active than buy.

    One row per group, by rising chance: low, high (the ends of what was predicted), predicted (mean),
    observed (share who bought), customers, observed_low, observed_high (Wilson's interval at 95 %). Equal
    predictions stay together, so there may be fewer groups; unknown ones are left out.
    """
    chance = np.asarray(predicted, dtype=np.float64)
    bought = np.asarray(bought_again, dtype=np.float64)
    known = ~np.isnan(chance) & ~np.isnan(bought)
    chance, bought = chance[known], bought[known]
    # Each distinct chance is placed by the middle of its customers.
    _, place, count = np.unique(chance, return_inverse=True, return_counts=True)
    middle = (np.cumsum(count) - count / 2.0) / max(len(chance), 1)
    group = np.minimum((middle * bins).astype(np.int64), bins - 1)
    rows = pd.DataFrame({"group": group[place], "chance": chance, "bought": bought}).groupby("group")
    found = rows.agg(
        low=("chance", "min"),
        high=("chance", "max"),
        predicted=("chance", "mean"),
        observed=("bought", "mean"),
        customers=("chance", "size"),
    ).reset_index(drop=True)
    low, high = _wilson(found["observed"].to_numpy(), found["customers"].to_numpy())
    return found.assign(observed_low=low, observed_high=high)


def _wilson(share: np.ndarray, people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The score interval of a share (Wilson 1927)."""
    z = NormalDist().inv_cdf((1.0 + LEVEL) / 2.0)
    middle = (share + z * z / (2.0 * people)) / (1.0 + z * z / people)
    half = z / (1.0 + z * z / people) * np.sqrt(share * (1.0 - share) / people + (z / (2.0 * people)) ** 2)
    # Rounding must not put nobody, or everybody, outside.
    return np.minimum(np.maximum(middle - half, 0.0), share), np.maximum(
        np.minimum(middle + half, 1.0), share
    )
