"""The people behind a bar: who got as far as a step in some campaigns, and not as far as another.

`rule` says the same as a rule of a segment, so that a segment can be made of them: it chooses exactly the
people listed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import BigInteger, ColumnElement, Select, case, cast, func, select
from sqlalchemy.orm import Session

from ma.analytics import profile_groups
from ma.analytics.breakdown import DIMENSIONS, dimensions
from ma.analytics.frames import read
from ma.analytics.profile_groups import OTHER
from ma.errors import InvalidInput
from ma.models import Campaign, CampaignAggregate, Customer, Outcome
from ma.types import Arm, CampaignStatus

# Steps that a rule can ask for -> its word.
STEPS = {
    "sent": "was_sent",
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "converted": "converted",
    "unsubscribed": "unsubscribed",
}
_NAME = func.trim(func.coalesce(Customer.first_name, "") + " " + func.coalesce(Customer.last_name, ""))
# From the first to the furthest; who left came less far than who bought.
_FURTHEST = ("sent", "bounced", "delivered", "opened", "clicked", "converted")


@dataclass(frozen=True)
class Asked:
    """Who is meant: people of these campaigns who reached `step`, in none of them `not_step`, in one group.

    `campaign_ids` are those that can tell; `blind` more cannot see one of the two steps, or are known by
    their totals alone.
    """

    campaign_ids: list[int]
    blind: int
    step: str
    not_step: str
    field: str
    value: str


def asked(
    session: Session,
    *,
    as_of: datetime,
    campaign_ids: Sequence[int] | None = None,
    step: str = "sent",
    not_step: str = "",
    field: str = "",
    value: str = "",
) -> Asked:
    """What is asked for, with the campaigns that can tell; all launched ones without `campaign_ids`.

    `field` is a field of the profile or "variant", with a value as in breakdown.breakdown. Raises
    InvalidInput.
    """
    for name, given in (("step", step), ("not_step", not_step)):
        if given not in STEPS and (given or name == "step"):
            raise InvalidInput({name: f"There is no step '{given}'. Use one of {', '.join(STEPS)}."})
    if field and field != "variant" and (field in DIMENSIONS or field not in dimensions(session)):
        raise InvalidInput({"field": f"People cannot be chosen by '{field}'."})
    alone = select(CampaignAggregate.campaign_id)
    query = (
        select(Campaign.id, Campaign.steps, Campaign.id.in_(alone).label("alone"))
        .where(Campaign.launched_at <= as_of, Campaign.status != CampaignStatus.DRAFT)
        .order_by(Campaign.id)
    )
    if campaign_ids is not None:
        query = query.where(Campaign.id.in_(list(campaign_ids)))
    if field == "variant":
        query = query.where(Campaign.id == _campaign_of(value))
    rows = session.execute(query).all()
    needed = {step, not_step} - {""}
    able = [row.id for row in rows if not row.alone and needed <= set(row.steps.split(","))]
    return Asked(able, len(rows) - len(able), step, not_step, field, value)


def reached(
    session: Session,
    *,
    as_of: datetime,
    campaign_ids: list[int] | None = None,
    step: str = "sent",
    not_step: str = "",
    field: str = "",
    value: str = "",
    limit: int | None = None,
    offset: int = 0,
) -> pd.DataFrame:
    """The people who reached a step in at least one of some campaigns, and another one in none of them.

    `step` and `not_step` are names of STEPS; `field` and `value` keep one group of the profile, or the
    people of a variant (12:B). Customers deleted since are left out. Conversions include organic ones.

    One row per person, by id: customer_id, name, email, furthest (the furthest step in these campaigns),
    campaigns (in how many of them they reached the step), sent_at (first), converted_at (first), organic (in
    how many they bought without the message leading them there), revenue_minor.
    Raises InvalidInput. Source: docs/metrics.md#people-behind-a-bar
    """
    who = asked(
        session,
        as_of=as_of,
        campaign_ids=campaign_ids,
        step=step,
        not_step=not_step,
        field=field,
        value=value,
    )
    page = chosen(session, who, as_of=as_of).order_by(Customer.id).offset(offset)
    page = page.limit(limit) if limit is not None else page
    return read(session, _facts(who, page, as_of)).astype({"revenue_minor": "int64"})


def people_count(session: Session, who: Asked, *, as_of: datetime) -> tuple[int, int]:
    """How many people `reached` lists, and how many were deleted since."""

    def count(query: Select) -> int:
        return session.scalar(select(func.count()).select_from(query.subquery())) or 0

    listed = count(chosen(session, who, as_of=as_of))
    return listed, count(chosen(session, who, as_of=as_of, deleted=True))


def chosen(session: Session, who: Asked, *, as_of: datetime, deleted: bool = False) -> Select:
    """A select of the ids of the customers meant, those still here or those deleted since."""

    def did(name: str) -> Select:
        at = getattr(Outcome, f"{name}_at")
        conditions = [Outcome.arm == Arm.TREATED, Outcome.campaign_id.in_(who.campaign_ids), at <= as_of]
        if who.field == "variant":
            conditions.append(Outcome.variant == who.value.partition(":")[2])
        return select(Outcome.customer_id).where(*conditions)

    gone = Customer.deleted_at.is_not(None) if deleted else Customer.deleted_at.is_(None)
    conditions = [gone, Customer.id.in_(did(who.step))]
    if who.not_step:
        conditions.append(Customer.id.not_in(did(who.not_step)))
    if who.field and who.field != "variant":
        conditions.append(profile_groups.in_group(session, who.field, who.value, as_of=as_of))
    return select(Customer.id).where(*conditions)


def rule(session: Session, who: Asked, *, as_of: datetime) -> dict | None:
    """The rule of a segment of exactly these people; None where no rule can say it (variants, Others)."""
    if who.field == "variant" or (who.field and who.value == OTHER) or not who.campaign_ids:
        return None
    parts = [_any_of(who.campaign_ids, who.step)]
    if who.not_step:
        parts.append({"none": [_did(one, who.not_step) for one in who.campaign_ids]})
    if who.field:
        parts.append(profile_groups.grouping(session, who.field, as_of=as_of).rule(who.value))
    return {"all": parts}


def _any_of(campaign_ids: list[int], step: str) -> dict:
    leaves = [_did(one, step) for one in campaign_ids]
    return leaves[0] if len(leaves) == 1 else {"any": leaves}


def _did(campaign_id: int, step: str) -> dict:
    return {"campaign": campaign_id, "did": STEPS[step]}


def _campaign_of(variant: str) -> int:
    campaign_id, _, letter = variant.partition(":")
    if not campaign_id.isdigit() or not letter or len(campaign_id) > 9:
        raise InvalidInput({"value": f"'{variant}' is no variant: they are named like 12:B."})
    return int(campaign_id)


def _facts(who: Asked, page: Select, as_of: datetime) -> Select:
    """What the people of a page did in these campaigns."""
    ids = page.subquery()

    def past(name: str) -> ColumnElement:
        return getattr(Outcome, f"{name}_at") <= as_of

    furthest = func.max(case(*[(past(name), i) for i, name in reversed(list(enumerate(_FURTHEST)))], else_=0))
    words = case(*[(furthest == i, name) for i, name in enumerate(_FURTHEST)])
    bought = past("converted")
    return (
        select(
            Customer.id.label("customer_id"),
            _NAME.label("name"),
            Customer.email,
            words.label("furthest"),
            func.count().filter(past(who.step)).label("campaigns"),
            func.min(Outcome.sent_at).filter(past("sent")).label("sent_at"),
            func.min(Outcome.converted_at).filter(bought).label("converted_at"),
            func.count().filter(bought & Outcome.organic).label("organic"),
            cast(func.coalesce(func.sum(Outcome.revenue_minor).filter(bought), 0), BigInteger).label(
                "revenue_minor"
            ),
        )
        .select_from(ids)
        .join(Customer, Customer.id == ids.c.id)
        .join(Outcome, Outcome.customer_id == Customer.id)
        .where(Outcome.arm == Arm.TREATED, Outcome.campaign_id.in_(who.campaign_ids))
        .group_by(Customer.id)
        .order_by(Customer.id)
    )
