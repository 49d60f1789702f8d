"""Customers who buy as the models say, drawn from the papers' stories, not from their formulas."""

import numpy as np
import pandas as pd


def purchase_times(rng, r, alpha, a, b, lasting):
    """When each customer buys again within `lasting` after the first time; NaN after the last purchase."""
    rate = rng.gamma(r, 1.0 / alpha, len(lasting))
    come = rng.poisson(rate * lasting)
    last = rng.geometric(np.maximum(rng.beta(a, b, len(lasting)), 1e-12))
    place = np.arange(max(come.max(), 1))
    # A Poisson process' purchases lie anywhere, in order.
    at = np.sort(np.where(place < come[:, None], rng.random((len(lasting), len(place))), np.inf), axis=1)
    bought = place < np.minimum(come, last)[:, None]
    return np.where(bought, at * lasting[:, None], np.nan)


def summed_up(times, age):
    """The summary of purchases up to each customer's age."""
    seen = times <= age[:, None]
    recency = np.where(seen, times, 0.0).max(axis=1)
    return pd.DataFrame({"frequency": seen.sum(axis=1), "recency": recency, "T": age})


def simulated(seed, parameters, customers, *, weeks=52.0):
    """Customers who began at any time in the last weeks."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(1.0, weeks, customers)
    return summed_up(purchase_times(rng, *parameters, age), age)
