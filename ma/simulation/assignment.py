"""Who is held out, gets which variant and goes out in which wave: a stable hash of seed and person."""

from datetime import datetime

import numpy as np
import pandas as pd

from ma.clock import to_micros
from ma.simulation.draws import chosen, split, stable_hash, uniform
from ma.simulation.population import UNKNOWN_BAND, band


def launch_seed(campaign_id: int, at: datetime) -> int:
    """What the lots of a launch at this moment hang on."""
    return stable_hash(f"campaign {campaign_id} at {to_micros(at)}")


def assign(
    people: pd.DataFrame, *, seed: int, holdout_share: float, shares: dict[str, float], waves: int
) -> pd.DataFrame:
    """The people (customer_id) with `holdout`, `variant` and `wave` (from 1 on).

    `shares`: of each variant, the first one for those who are held out; they sum to 1.
    """
    ids = people["customer_id"].to_numpy()
    holdout = chosen(seed, ids, "holdout", holdout_share)
    names = np.array(list(shares), dtype=object)
    ends = np.cumsum(list(shares.values()))[:-1]
    variant = names[np.searchsorted(ends, uniform(seed, ids, "variant"), side="right")]
    return people.assign(
        holdout=holdout,
        variant=np.where(holdout, names[0], variant),
        wave=split(seed, ids, "wave", waves) + 1,
    )


def within(people: pd.DataFrame, most: int, *, seed: int) -> pd.DataFrame:
    """The people without those of the treated whom `most` does not reach, chosen by lot."""
    treated = np.flatnonzero(~people["holdout"].to_numpy())
    if len(treated) <= most:
        return people
    lots = uniform(seed, people["customer_id"].to_numpy()[treated], "budget")
    left_out = treated[np.argsort(lots, kind="stable")[most:]]
    keep = np.ones(len(people), dtype=bool)
    keep[left_out] = False
    return people[keep]


def bands(engagement: pd.Series) -> pd.Series:
    """The band of an engagement score (see population.band) as it is stored; missing where it is unknown."""
    found = band(engagement.to_numpy(np.float64, na_value=np.nan))
    return pd.Series(found, index=engagement.index).astype("Int64").mask(found == UNKNOWN_BAND)
