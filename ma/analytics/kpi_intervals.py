"""How sure the rates among the key figures are."""

import pandas as pd

from ma.analytics import significance


def with_intervals(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame of kpis.kpis with low and high: Wilson's 95 % interval of its rates, NaN of other figures.

    The people of all campaigns that a rate pools count as drawn alike; it says what chance does, not how
    campaigns differ. Counts and money are complete, not a sample; of what causes ROI, chance is the least.
    Source: docs/metrics.md#kpis
    """
    rates = frame["unit"] == "rate"
    found = [
        significance.rate(round(value * base), base) if rate and base > 0 else significance.UNKNOWN
        for value, base, rate in zip(frame["value"], frame["base"], rates, strict=True)
    ]
    return frame.assign(low=[one.low for one in found], high=[one.high for one in found])
