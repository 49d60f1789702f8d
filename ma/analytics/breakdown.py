"""Results by any dimension: what campaigns brought, by campaign, channel, month, or who people are.

Every dimension parts the same totals: its groups add up to results.totals, people of unknown group included.
"""

from collections.abc import Iterable
from datetime import date, datetime

import numpy as np
import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics import calibration, funnel, maturity, profile_groups
from ma.analytics.breakdown_people import Progress, Who, ignored, people_by_group
from ma.analytics.frames import read
from ma.analytics.profile_groups import OTHER, UNKNOWN, Grouping
from ma.analytics.rates import add_money, ratio, reached
from ma.analytics.results import SUMS, totals
from ma.analytics.segment_performance import NO_SEGMENT
from ma.analytics.today import today
from ma.analytics.workspace import workspace
from ma.errors import InvalidPeriod
from ma.models import CampaignResult
from ma.types import Arm, Channel, unknown_steps

# What the campaigns themselves say; every other dimension is a field of the customers' profile.
DIMENSIONS = {
    "channel": "Channel",
    "campaign": "Campaign",
    "segment": "Segment",
    "month": "Month of launch",
    "variant": "Variant",
}
# All people of a campaign are in one group of these.
OF_CAMPAIGNS = ("channel", "campaign", "segment", "month")
# People of campaigns that are known by their totals alone.
NOT_PER_PERSON = "-"
RATES = {"open_rate": "opened", "click_rate": "clicked", "conversion_rate": "converted"}
_LAST = {OTHER: 1, UNKNOWN: 2, NOT_PER_PERSON: 3}


def dimensions(session: Session) -> dict[str, str]:
    """What results can be parted by: name -> title, the workspace's own fields included."""
    return DIMENSIONS | profile_groups.profile_fields(session)


def breakdown(
    session: Session,
    *,
    as_of: datetime,
    campaign_ids: list[int] | None = None,
    start: date | None = None,
    end: date | None = None,
    by: str = "channel",
    field: str = "",
    value: str = "",
) -> pd.DataFrame:
    """What campaigns launched on days in [start, end) brought, by a dimension (see `dimensions`).

    `field` and `value` narrow it to the people of one group of another dimension.

    One row per group: value (its name in an address), label, campaigns, the counts of results.totals and
    revenue_minor (NaN where one campaign of the group does not know it), cost_minor (a campaign's cost by
    people sent; NaN where one is unknown), reached (the denominator of rates), immature (people still inside
    their conversion window) and immature_share, open_rate, click_rate and conversion_rate, pooled over the
    campaigns that can see the step, each with _low and _high (Wilson, 95 %) and _base (its denominator), and
    profit_minor, roi, roas, cost_per_acquisition_minor, revenue_per_recipient_minor.

    Raises InvalidPeriod, and InvalidInput for an unknown dimension or value.
    Source: docs/metrics.md#results-by-a-dimension
    """
    if start is not None and end is not None and start >= end:
        raise InvalidPeriod(f"The period must start before it ends: {start} is not before {end}.")
    campaigns = totals(session, as_of=as_of, campaign_ids=campaign_ids, start=start, end=end)
    campaigns = maturity.add_immature(session, campaigns, as_of=as_of)
    return of_totals(session, campaigns, as_of=as_of, by=by, field=field, value=value)


def of_totals(
    session: Session,
    campaigns: pd.DataFrame,
    *,
    as_of: datetime,
    by: str,
    field: str = "",
    value: str = "",
    progress: Progress = ignored,
) -> pd.DataFrame:
    """The breakdown of campaign totals (with maturity.add_immature), as `breakdown` describes it.

    `progress` is told the share done where people are counted.
    """
    groups = _grouping(session, by, as_of)
    parts = parted(
        session, campaigns, as_of=as_of, by=by, groups=groups, field=field, value=value, progress=progress
    )
    labels, places = _names(parts["value"], campaigns, by, groups)
    return _summed(parts).pipe(_ordered, labels=labels, places=places)


def narrowed(
    session: Session,
    campaigns: pd.DataFrame,
    *,
    as_of: datetime,
    field: str,
    value: str,
    progress: Progress = ignored,
) -> pd.DataFrame:
    """Campaign totals (with maturity.add_immature) of the people of one group only.

    Campaigns without any of them are left out. Raises InvalidInput.
    """
    parts = parted(
        session, campaigns, as_of=as_of, by="campaign", field=field, value=value, progress=progress
    )
    columns = ["campaign_id", *SUMS, "cost_minor", "immature"]
    frame = campaigns[_SHARED].merge(parts.loc[parts["assigned"] > 0, columns], on="campaign_id", how="inner")
    return frame.assign(immature_share=ratio(frame["immature"], frame["sent"]))


def group_funnel(
    session: Session,
    *,
    as_of: datetime,
    field: str,
    value: str,
    campaign_ids: list[int] | None = None,
    start: date | None = None,
    end: date | None = None,
) -> pd.DataFrame:
    """The funnel of the people of one group of a dimension, as funnel.funnel describes it.

    Raises InvalidInput. Source: docs/metrics.md#funnel
    """
    campaigns = totals(session, as_of=as_of, campaign_ids=campaign_ids, start=start, end=end)
    campaigns = maturity.add_immature(session, campaigns, as_of=as_of)
    return funnel.of_totals(narrowed(session, campaigns, as_of=as_of, field=field, value=value))


def _grouping(session: Session, by: str, as_of: datetime) -> Grouping | None:
    """The groups of a field of the profile; None for a dimension of the campaigns. Raises InvalidInput."""
    return None if by in DIMENSIONS else profile_groups.grouping(session, by, as_of=as_of)


def parted(
    session: Session,
    campaigns: pd.DataFrame,
    *,
    as_of: datetime,
    by: str,
    groups: Grouping | None = None,
    field: str = "",
    value: str = "",
    progress: Progress = ignored,
) -> pd.DataFrame:
    """Campaign totals by group: one row per campaign and group that has anybody in it.

    `groups` are those of `by` where it is a field of the profile.

    campaign_id, value, the columns of SUMS and cost_minor, immature, reached. A campaign's cost is shared by
    the people sent, unrounded.
    """
    if field in OF_CAMPAIGNS:
        campaigns = campaigns[group_of_campaign(session, campaigns, field) == value]
        field = value = ""
    of_people = by not in DIMENSIONS or bool(field)
    if not of_people and by != "variant":
        rows = campaigns.assign(value=group_of_campaign(session, campaigns, by))
        return rows.assign(reached=reached(rows))[_COLUMNS]
    is_alone = maturity.known_by_totals(session, campaigns)
    persons = campaigns[~is_alone]
    if by in DIMENSIONS and field in ("", "variant"):
        rows = _variants(session, persons, as_of)
        rows = rows[rows["value"] == value] if field else rows
        rows = rows if by == "variant" else rows.assign(value=_of_parts(session, rows, persons, by))
    else:
        who = Who(by if by in DIMENSIONS else "", groups, field, value)
        rows = people_by_group(session, persons, who, as_of=as_of, progress=progress)
        if by in OF_CAMPAIGNS:
            rows["value"] = _of_parts(session, rows, persons, by)
    rows = _unknown(rows, campaigns)
    rows = rows.assign(cost_minor=_shared_cost(rows, campaigns), reached=reached(rows))
    if field:
        return rows[_COLUMNS]
    return pd.concat([rows[_COLUMNS], _without_people(campaigns, is_alone)])


# What is the same of a campaign and of a part of its people.
_SHARED = ["campaign_id", "name", "channel", "status", "source", "segment_id", "segment", "launched_at",
           "steps", "conversion_window_days"]  # fmt: skip
_COLUMNS = ["campaign_id", "value", *SUMS, "cost_minor", "immature", "reached"]


def group_of_campaign(session: Session, campaigns: pd.DataFrame, by: str) -> pd.Series:
    """The group of each campaign in a dimension that all its people share."""
    if by == "channel":
        return campaigns["channel"]
    if by == "campaign":
        return campaigns["campaign_id"].astype(str)
    if by == "segment":
        return campaigns["segment_id"].map(lambda one: UNKNOWN if pd.isna(one) else str(int(one)))
    zone = workspace(session).timezone
    return campaigns["launched_at"].dt.tz_convert(zone).dt.strftime("%Y-%m")


def _of_parts(session: Session, rows: pd.DataFrame, campaigns: pd.DataFrame, by: str) -> pd.Series:
    """Likewise for rows of these campaigns."""
    own = dict(zip(campaigns["campaign_id"], group_of_campaign(session, campaigns, by), strict=True))
    return rows["campaign_id"].map(own)


# People by variant, from the stored days


def _variants(session: Session, campaigns: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    zone, ids = workspace(session).timezone, campaigns["campaign_id"].tolist()
    keys = ["campaign_id", "variant"]
    past = read(
        session,
        select(
            *[getattr(CampaignResult, key) for key in keys],
            *[func.sum(getattr(CampaignResult, name)).label(name) for name in SUMS],
        )
        .where(
            CampaignResult.campaign_id.in_(ids),
            CampaignResult.arm == Arm.TREATED,
            CampaignResult.day < clock.local_day(as_of, zone),
        )
        .group_by(*[getattr(CampaignResult, key) for key in keys]),
    )
    now = today(session, as_of=as_of, timezone=zone, campaign_ids=ids)
    both = pd.concat([past, now[now["arm"] == Arm.TREATED]], ignore_index=True)
    both[list(SUMS)] = both[list(SUMS)].astype(float).fillna(0.0)
    rows = both.groupby(keys, as_index=False)[list(SUMS)].sum()
    rows = rows.merge(maturity.mature_sent(session, campaigns, as_of=as_of), on=keys, how="left")
    return rows.assign(
        value=rows["campaign_id"].astype(str) + ":" + rows["variant"].astype(str),
        immature=rows["sent"] - rows["mature"].fillna(0.0),
    )


# What the parts have in common


def _unknown(rows: pd.DataFrame, campaigns: pd.DataFrame) -> pd.DataFrame:
    """The steps that a campaign cannot see are unknown in each of its parts."""
    rows[list(SUMS)] = rows[list(SUMS)].fillna(0.0)
    for steps, group in campaigns.groupby("steps"):
        mine = rows["campaign_id"].isin(group["campaign_id"])
        rows.loc[mine, unknown_steps(steps)] = np.nan
    return rows


def _shared_cost(rows: pd.DataFrame, campaigns: pd.DataFrame) -> pd.Series:
    """Each part's share of its campaign's cost, fixed and variable, by people sent."""
    whole = campaigns.set_index("campaign_id")
    sent = rows["campaign_id"].map(whole["sent"]).astype(float)
    cost = rows["campaign_id"].map(whole["cost_minor"]).astype(float)
    share = ratio(rows["sent"], sent)
    # Before anybody was sent it, there is a fixed cost and nobody to share it: see _without_people.
    return (cost * share).mask(sent == 0, cost * 0.0)


def _without_people(campaigns: pd.DataFrame, is_alone: pd.Series) -> pd.DataFrame:
    """What is nobody's whom we know: campaigns known by totals alone, costs before the first sending."""
    waiting = ~is_alone & (campaigns["sent"] == 0) & (campaigns["cost_minor"] != 0)
    rest = campaigns[is_alone | waiting].assign(value=NOT_PER_PERSON)
    # Who is assigned already, though not sent anything, stands in the groups.
    rest.loc[waiting, list(SUMS)] = rest.loc[waiting, list(SUMS)] * 0.0
    return rest.assign(reached=reached(rest))[_COLUMNS]


def _summed(parts: pd.DataFrame) -> pd.DataFrame:
    parts = parts.reset_index(drop=True)
    for rate, step in RATES.items():
        seen = parts[step].notna()
        parts[f"_{rate}"], parts[f"{rate}_base"] = parts[step].fillna(0.0), parts["reached"].where(seen, 0.0)
    bases = [name for rate in RATES for name in (f"_{rate}", f"{rate}_base")]
    columns = [*SUMS, "cost_minor", "reached", "immature", *bases]
    groups = parts.groupby("value", sort=False)
    # A sum over the part of its campaigns that know a figure would mislead: it is unknown.
    summed = groups[columns].sum(skipna=False)
    summed.insert(0, "campaigns", groups["campaign_id"].nunique())
    frame = summed.reset_index().assign(immature_share=lambda f: ratio(f["immature"], f["sent"]))
    for rate in RATES:
        low, high = wilson(frame[f"_{rate}"], frame[f"{rate}_base"])
        value = ratio(frame[f"_{rate}"], frame[f"{rate}_base"])
        frame = frame.assign(**{rate: value, f"{rate}_low": low, f"{rate}_high": high})
    return add_money(frame.drop(columns=[f"_{rate}" for rate in RATES]))


def wilson(part: pd.Series, whole: pd.Series) -> tuple[pd.Series, pd.Series]:
    """The 95 % interval of each part ÷ whole (calibration.wilson); NaN where the whole is 0."""
    # Imported totals may count more people at a step than messages that arrived.
    shares = ratio(part, whole).clip(upper=1.0)
    ends = [calibration.wilson(share, n) for share, n in zip(shares, whole, strict=True)]
    low, high = zip(*ends, strict=True) if ends else ((), ())
    return pd.Series(low, part.index, dtype=float), pd.Series(high, part.index, dtype=float)


# Names and order


def group_label(session: Session, campaigns: pd.DataFrame, by: str, value: str, *, as_of: datetime) -> str:
    """How a group is called, by its value; a value that no group has is its own name."""
    try:
        labels, _ = _names([value], campaigns, by, _grouping(session, by, as_of))
    except ValueError:
        return value
    return labels.get(value, value)


def _names(
    parts: Iterable[str], campaigns: pd.DataFrame, by: str, groups: Grouping | None
) -> tuple[dict[str, str], dict[str, int]]:
    """How each group is called, and its place where the groups have an order of their own."""
    values = list(dict.fromkeys(parts))
    called = dict(zip(campaigns["campaign_id"].astype(str), campaigns["name"], strict=True))
    places: dict[str, int] = {}
    if by == "channel":
        labels = {one: Channel(one).label for one in values}
    elif by == "campaign":
        labels = called
    elif by == "segment":
        segments = campaigns[campaigns["segment_id"].notna()]
        labels = dict(zip(segments["segment_id"].astype(int).astype(str), segments["segment"], strict=True))
        labels[UNKNOWN] = NO_SEGMENT
    elif by == "month":
        labels = {one: f"{date.fromisoformat(f'{one}-01'):%b %Y}" for one in values}
        places = {one: int(one.replace("-", "")) for one in values}
    elif by == "variant":
        labels = {one: _variant_label(one, called) for one in values}
    else:
        labels = {one: groups.label(one) for one in values if one != NOT_PER_PERSON}
        places = {one: groups.place(one) for one in values if one not in _LAST}
    return labels | {NOT_PER_PERSON: "Not known per person"}, places


def _variant_label(value: str, called: dict[str, str]) -> str:
    campaign_id, _, letter = value.partition(":")
    return f"{called.get(campaign_id, campaign_id)} · {letter}" if letter else value


def _ordered(frame: pd.DataFrame, *, labels: dict[str, str], places: dict[str, int]) -> pd.DataFrame:
    """Groups in their own order, else the largest first; unknown ones last."""
    frame.insert(1, "label", frame["value"].map(labels))
    last = frame["value"].map(_LAST).fillna(0)
    place = frame["value"].map(places).fillna(0)
    order = frame.assign(_last=last, _place=place, _sent=-frame["sent"].fillna(-1.0))
    order = order.sort_values(["_last", "_place", "_sent", "value"], ignore_index=True)
    return order.drop(columns=["_last", "_place", "_sent"])
