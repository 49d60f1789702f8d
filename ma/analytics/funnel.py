"""The funnel: how many people reached each step, and the rate from step to step."""

from datetime import date, datetime

import pandas as pd
from sqlalchemy.orm import Session

from ma.analytics.results import totals
from ma.types import FUNNEL_STEPS


def funnel(
    session: Session,
    *,
    as_of: datetime,
    campaign_ids: list[int] | None = None,
    start: date | None = None,
    end: date | None = None,
) -> pd.DataFrame:
    """The funnel of one, several or all campaigns, people counted once per campaign.

    One row per known step: step, people, of_previous (÷ the step before it), of_first (÷ sent),
    campaigns (how many know this step). A step enters only if every chosen campaign knows it;
    converted here means converted after every earlier known step, without organic conversions.
    Source: docs/metrics.md#funnel
    """
    frame = totals(session, as_of=as_of, campaign_ids=campaign_ids, start=start, end=end)
    return of_totals(frame)


def of_totals(frame: pd.DataFrame) -> pd.DataFrame:
    """The funnel of campaign totals, as `funnel` describes it."""
    rows = []
    for step in FUNNEL_STEPS:
        if frame.empty or frame[step].isna().any():
            continue
        people = frame[step] - frame["organic"].fillna(0) if step == "converted" else frame[step]
        rows.append({"step": step, "people": int(people.sum()), "campaigns": len(frame)})
    result = pd.DataFrame(rows, columns=["step", "people", "campaigns"])
    previous = result["people"].shift(1)
    first = result["people"].iloc[0] if len(result) else 0
    result["of_previous"] = result["people"] / previous.where(previous > 0)
    result["of_first"] = result["people"] / first if first else float("nan")
    return result


def unknown_steps(frame: pd.DataFrame) -> dict[str, int]:
    """Steps left out of the funnel of these totals, with the number of campaigns that cannot observe them."""
    missing = {step: int(frame[step].isna().sum()) for step in FUNNEL_STEPS}
    return {step: count for step, count in missing.items() if count}
