"""What to send somebody next: the channel whose message is expected to earn most beyond its cost."""

import numpy as np
import pandas as pd


def next_action(revenue: pd.DataFrame, allowed: pd.DataFrame, cost: pd.Series) -> pd.DataFrame:
    """The best channel of each person (the index of the frames) and what it is expected to earn.

    revenue: by channel (the columns), what a message is expected to cause, beyond what people buy anyway, in
    minor units; allowed: whether the person may be sent it; cost: of one message by channel, NaN where it is
    unknown: then the channel is not chosen. Gives channel (None where no message is expected to bring more
    than it costs) and profit_minor (revenue − cost; NaN where there is none). A tie goes to the channel that
    stands first.
    """
    channels = list(revenue.columns)
    if not channels or revenue.empty:
        empty = {"channel": pd.Series(None, index=revenue.index, dtype=object), "profit_minor": np.nan}
        return pd.DataFrame(empty, index=revenue.index)
    profit = revenue.to_numpy(np.float64) - cost.reindex(channels).to_numpy(np.float64)
    may = allowed[channels].to_numpy(bool) & (profit > 0.0)
    profit = np.where(may, profit, -np.inf)
    place = profit.argmax(axis=1)
    found = np.take_along_axis(profit, place[:, None], axis=1)[:, 0]
    some = np.isfinite(found)
    names = np.array([*channels, None], dtype=object)
    return pd.DataFrame(
        {"channel": names[np.where(some, place, -1)], "profit_minor": np.where(some, found, np.nan)},
        index=revenue.index,
    )
