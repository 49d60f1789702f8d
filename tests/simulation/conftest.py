"""A typical audience and the channels' parameters."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ma.settings import DATA
from ma.simulation import params
from ma.simulation.params import TYPICAL_MESSAGES
from ma.simulation.population import RECENCY_HALF_DAYS, Population


@pytest.fixture(scope="session")
def channels():
    """The channels as the benchmarks have them, in a workspace whose recency is far from its ends 0 and 1."""
    population = Population(recency_mean=0.5, recency_sd=0.1)
    known = params.load(DATA / "benchmarks.csv")
    return {channel: replace(values, population=population) for channel, values in known.items()}


@pytest.fixture(scope="session")
def typical(channels):
    """200,000 people spread as the parameters say a typical audience is: what baselines are measured on."""
    count, rng, normal = 200_000, np.random.default_rng(11), channels["email"].population
    recency = np.clip(rng.normal(normal.recency_mean, normal.recency_sd, count), 0.01, 1.0)
    return pd.DataFrame(
        {
            "customer_id": np.arange(1, count + 1),
            "engagement": rng.normal(normal.engagement_mean, normal.engagement_sd, count),
            "days_since_last_order": RECENCY_HALF_DAYS / recency - RECENCY_HALF_DAYS,
            "recent_messages": TYPICAL_MESSAGES,
            "average_order_minor": 5000.0,
            "order_rate": 0.05,
        }
    )


@pytest.fixture(scope="session")
def mixed():
    """As many people as wanted who are not typical: skewed, some never scored, some never bought."""

    def people(count, seed=3):
        rng = np.random.default_rng(seed)
        score = rng.beta(1.2, 2.0, count) * 100.0
        known = np.nan_to_num(score)
        score[rng.random(count) < 0.1] = np.nan
        days = rng.exponential(60.0, count)
        days[rng.random(count) < 0.2] = np.nan
        return pd.DataFrame(
            {
                "customer_id": np.arange(1, count + 1),
                "engagement": score,
                "days_since_last_order": days,
                "recent_messages": rng.negative_binomial(1, 0.2, count).astype(float),
                "average_order_minor": 5000.0 * rng.lognormal(0.0, 0.6, count) * (1.0 + known / 100.0),
                "order_rate": rng.gamma(0.5, 0.1, count) * (1.0 + known / 50.0),
            }
        )

    return people
