"""Ratios, each with its one definition. Unknown is NaN, never 0."""

import pandas as pd


def ratio(part: pd.Series, whole: pd.Series) -> pd.Series:
    """part ÷ whole, element by element; NaN where either is unknown or the whole is 0."""
    return part.astype(float) / whole.astype(float).where(whole.astype(float) != 0)


def reached(frame: pd.DataFrame) -> pd.Series:
    """The denominator of rates: delivered, or sent where a channel cannot observe delivery."""
    return frame["delivered"].fillna(frame["sent"])


def add_rates(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with open, click, conversion and unsubscribe rate (÷ delivered) and bounce rate (÷ sent).

    Source: docs/metrics.md#rates
    """
    whole = reached(frame)
    return frame.assign(
        open_rate=ratio(frame["opened"], whole),
        click_rate=ratio(frame["clicked"], whole),
        conversion_rate=ratio(frame["converted"], whole),
        unsubscribe_rate=ratio(frame["unsubscribed"], whole),
        bounce_rate=ratio(frame["bounced"], frame["sent"]),
    )


def add_money(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with profit_minor, roi, roas, cost_per_acquisition_minor and revenue_per_recipient_minor.

    roi = (revenue − cost) ÷ cost; NaN where the cost is 0 or unknown. Source: docs/metrics.md#roi
    """
    profit = frame["revenue_minor"] - frame["cost_minor"]
    return frame.assign(
        profit_minor=profit,
        roi=ratio(profit, frame["cost_minor"]),
        roas=ratio(frame["revenue_minor"], frame["cost_minor"]),
        cost_per_acquisition_minor=ratio(frame["cost_minor"], frame["converted"]),
        revenue_per_recipient_minor=ratio(frame["revenue_minor"], frame["sent"]),
    )


def pooled(frame: pd.DataFrame, part: str, whole: pd.Series | None = None) -> float:
    """sum ÷ sum over the campaigns that know the part. A pooled rate is not the mean of rates."""
    known = frame[part].notna()
    denominator = (reached(frame) if whole is None else whole)[known].sum()
    return float(frame.loc[known, part].sum() / denominator) if denominator else float("nan")


def pooled_roi(frame: pd.DataFrame) -> float:
    """(revenue − cost) ÷ cost over the campaigns whose cost is known; NaN where they cost nothing."""
    known = frame[frame["cost_minor"].notna()]
    cost = known["cost_minor"].sum()
    return float((known["revenue_minor"].sum() - cost) / cost) if cost else float("nan")
