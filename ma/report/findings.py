"""What a report says, before it is words: figures of the chosen campaigns with their intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.analytics import best_worst, breakdown, maturity
from ma.analytics import funnel as funnels
from ma.analytics.calibration import wilson
from ma.analytics.experiments import DECIDES, experiment_differences, experiments
from ma.analytics.incrementality import incrementality
from ma.analytics.rates import pooled, reached
from ma.analytics.roi import roi
from ma.analytics.workspace import WorkspaceInfo, workspace
from ma.errors import InvalidPeriod, NotFound
from ma.models import Campaign
from ma.types import CampaignStatus

# From so many campaigns on it is worth saying which were the best and the worst, at most so many of each.
FEWEST_TO_RANK, RANKED = 4, 3
_UNDER_WAY = (CampaignStatus.RUNNING, CampaignStatus.PAUSED)


@dataclass(frozen=True)
class Rate:
    """A share of people with its 95 % interval (Wilson); NaN where it is unknown."""

    value: float
    low: float
    high: float
    people: float
    of: float


@dataclass(frozen=True)
class Effect:
    """What several campaigns added together, with its 95 % interval; NaN where it is unknown."""

    value: float
    low: float
    high: float
    campaigns: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Findings:
    """Everything in a report. Money in minor units, rates 0–1, unknown is NaN.

    campaigns: as in analytics.roi, with conversion_rate_low and _high (Wilson's 95 % interval), immature,
    immature_share and growing (whether conversions can still come). funnels: an analytics.funnel frame by
    channel. channels, segments: analytics.breakdown frames. ranking: an analytics.best_worst frame, empty
    where there are too few. effects, tests, differences: the frames incrementality, experiments and, of
    conversions, experiment_differences.
    """

    place: WorkspaceInfo
    as_of: datetime
    start: date | None
    end: date | None
    chosen: bool
    campaigns: pd.DataFrame
    funnels: dict[str, pd.DataFrame]
    channels: pd.DataFrame
    segments: pd.DataFrame
    ranking: pd.DataFrame
    effects: pd.DataFrame
    tests: pd.DataFrame
    differences: pd.DataFrame

    def rate(self, part: str) -> Rate:
        """The pooled rate of a step over the campaigns that can observe it."""
        known = self.campaigns[self.campaigns[part].notna()]
        of, value = float(reached(known).sum()), pooled(self.campaigns, part)
        low, high = wilson(value, of)
        return Rate(value, low, high, float(known[part].sum()), of)

    @property
    def costed(self) -> pd.DataFrame:
        """The campaigns whose cost is known."""
        return self.campaigns[self.campaigns["cost_minor"].notna()]

    @property
    def believed(self) -> pd.DataFrame:
        """The effects of campaigns whose people are split as planned."""
        return self.effects[self.effects["sample_ratio"] != "alarm"]

    @property
    def extra_conversions(self) -> Effect:
        """How many more people converted than would have without the messages."""
        name = "incremental_conversions"
        return together(self.believed, name, f"{name}_low", f"{name}_high")

    @property
    def extra_revenue(self) -> Effect:
        """How much more they brought, in minor units."""
        name = "incremental_revenue"
        return together(self.believed, f"{name}_minor", f"{name}_low_minor", f"{name}_high_minor")


def find(
    session: Session,
    *,
    as_of: datetime,
    campaign_ids: Sequence[int] | None = None,
    start: date | None = None,
    end: date | None = None,
) -> Findings:
    """The findings on campaigns launched on days in [start, end), all of them or those given.

    Raises InvalidPeriod if start >= end; NotFound if no campaign, or not every one given, was launched then.
    """
    if campaign_ids is not None and not campaign_ids:
        raise NotFound("No campaign was chosen. Choose at least one, or leave the choice open for all.")
    if start is not None and end is not None and start >= end:
        raise InvalidPeriod("The first day lies after the last one. Exchange them.")
    ids = None if campaign_ids is None else sorted(set(campaign_ids))
    frame = roi(session, as_of=as_of, start=start, end=end, campaign_ids=ids)
    if missing := sorted(set(ids or ()) - set(frame["campaign_id"])):
        listed = ", ".join(map(str, missing))
        raise NotFound(f"Not launched in this period: campaign {listed}. Leave it out, or choose more days.")
    if frame.empty:
        raise NotFound("No campaign was launched in this period. Choose more days.")
    launched = frame["campaign_id"].tolist()
    frame = _with_growth(session, frame, as_of)
    low, high = breakdown.wilson(frame["converted"], reached(frame))
    frame = frame.assign(conversion_rate_low=low, conversion_rate_high=high)
    parts = frame.groupby("channel", sort=False)
    return Findings(
        place=workspace(session),
        as_of=as_of,
        start=start,
        end=end,
        chosen=ids is not None,
        campaigns=frame,
        funnels={channel: funnels.of_totals(part) for channel, part in parts},
        channels=breakdown.of_totals(session, frame, as_of=as_of, by="channel"),
        segments=breakdown.of_totals(session, frame, as_of=as_of, by="segment"),
        ranking=_ranking(session, frame, as_of),
        effects=incrementality(session, as_of=as_of, campaign_ids=launched),
        tests=experiments(session, as_of=as_of, campaign_ids=launched),
        differences=experiment_differences(session, as_of=as_of, campaign_ids=launched, figure=DECIDES),
    )


def _with_growth(session: Session, frame: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    """The frame with its immature people, and whether more conversions can come: from them, or from waves."""
    frame = maturity.add_immature(session, frame, as_of=as_of)
    coming = select(Campaign.id).where(Campaign.waves_sent < Campaign.waves, Campaign.status.in_(_UNDER_WAY))
    waiting = frame["campaign_id"].isin(session.scalars(coming).all())
    return frame.assign(growing=(frame["immature"] > 0) | waiting)


def _ranking(session: Session, frame: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    """The campaigns in order: by profit where enough costs are known, else by revenue per recipient."""
    ripe = best_worst.mature(session, frame, as_of=as_of)
    for measure in best_worst.MEASURES:
        found = best_worst.ranked(ripe, measure)
        if len(found) >= FEWEST_TO_RANK:
            return found
    return found.head(0)


def best_and_worst(ranking: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first of a best_worst frame from either end; nobody is in both."""
    count = min(RANKED, len(ranking) // 2)
    best = ranking.sort_values("best").head(count)
    rest = ranking[~ranking["campaign_id"].isin(best["campaign_id"])]
    return best, rest.sort_values("worst").head(count)


def together(effects: pd.DataFrame, figure: str, low: str, high: str) -> Effect:
    """The sum of an effect over the campaigns of which it is known, with its 95 % interval.

    Each holdout was drawn on its own, so the distances to the ends add up as squares (Zou and Donner 2008).
    """
    known = effects.dropna(subset=[figure, low, high])
    if known.empty:
        return Effect(math.nan, math.nan, math.nan, 0)
    value = float(known[figure].sum())
    below, above = (math.sqrt(float(((known[figure] - known[end]) ** 2).sum())) for end in (low, high))
    return Effect(value, value - below, value + above, len(known))
