"""Attribution: what each channel or campaign is credited with, by several models side by side."""

from collections.abc import Sequence
from datetime import date, datetime

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from ma.analytics.credit import MODELS, credit, too_many
from ma.analytics.journeys import Journeys, question, read_journeys
from ma.analytics.touches import USUAL_HALF_LIFE, USUAL_WINDOW
from ma.errors import InvalidInput

__all__ = ["MODELS", "attribution", "largest_remainder", "of_journeys"]


def attribution(
    session: Session,
    *,
    as_of: datetime,
    start: date | None = None,
    end: date | None = None,
    campaign_ids: list[int] | None = None,
    level: str = "channel",
    conversion: str = "purchases",
    touch: str = "response",
    window_days: int = USUAL_WINDOW,
    half_life_days: int = USUAL_HALF_LIFE,
    models: str = "",
) -> pd.DataFrame:
    """How models divide the conversions of a period (the last 90 days unless given) among the messages.

    One row per model and channel (or campaign, with `level`): model, name, channel, campaign_id, conversions
    (to the hundredth), revenue_minor (whole minor units), share and revenue_share (0-1; NaN where there is
    nothing to share). Each model's conversions and revenue add up to those with a message before them.
    `models` are keys of MODELS, comma-separated; without it all of them, but Shapley only up to 12 channels
    or campaigns. See touches.Question for what is counted.

    Raises InvalidPeriod, InvalidInput. Source: docs/metrics.md#attribution
    """
    asked = question(
        session,
        as_of=as_of,
        start=start,
        end=end,
        campaign_ids=campaign_ids,
        level=level,
        conversion=conversion,
        touch=touch,
        window_days=window_days,
        half_life_days=half_life_days,
    )
    wanted = [name for name in models.split(",") if name]
    if unknown := [name for name in wanted if name not in MODELS]:
        raise InvalidInput({"models": f"'{unknown[0]}' is no model. There are: {', '.join(MODELS)}."})
    return of_journeys(read_journeys(session, asked, as_of=as_of), wanted or None)


def of_journeys(found: Journeys, models: Sequence[str] | None = None) -> pd.DataFrame:
    """The frame of `attribution` from what was read; without `models` all that can be had."""
    if models is None:
        models = [name for name in MODELS if name != "shapley" or not too_many(found)]
    # Hundredths of conversions, so that each model's add up to the digits one sees.
    totals = {"conversions": found.touched * 100, "revenue_minor": found.touched_revenue_minor}
    raw = [credit(found, model) for model in models]
    whole = {
        name: np.concatenate([largest_remainder(one[name].to_numpy(), total) for one in raw])
        for name, total in totals.items()
    }
    frame = found.keys[["name", "channel", "campaign_id"]]
    frame = frame.iloc[np.tile(np.arange(len(frame)), len(models))].reset_index(drop=True)
    frame.insert(0, "model", np.repeat(np.array(models, dtype=object), len(found.keys)))
    return frame.assign(
        conversions=whole["conversions"] / 100,
        revenue_minor=whole["revenue_minor"],
        share=whole["conversions"] / (totals["conversions"] or np.nan),
        revenue_share=whole["revenue_minor"] / (totals["revenue_minor"] or np.nan),
    )


def largest_remainder(values: np.ndarray, total: int) -> np.ndarray:
    """Whole numbers in proportion to `values` (none negative) that add up to `total` (Hamilton's method).

    What rounding down leaves goes to the largest remainders, among equals to the first.
    """
    whole = np.zeros(len(values), dtype=np.int64)
    if not len(values) or not values.sum() > 0:
        return whole
    exact = values / values.sum() * total
    # An error in the last digit of a float must not take one from where the number is whole.
    near = np.rint(exact)
    exact = np.where(np.abs(exact - near) < 1e-6, near, exact)
    whole = np.floor(exact).astype(np.int64)
    left = int(total - whole.sum())
    order = np.argsort(whole - exact, kind="stable")
    whole[order[:left]] += 1
    return whole
