"""The facts that leaves compare, by themselves: for saying what is so beside whether it fits."""

from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Float, Select, cast, func, select

from ma.models import Campaign, Outcome
from ma.rules import sql_events, sql_leaves
from ma.rules.catalogue import Catalogue
from ma.rules.fields import Field
from ma.rules.nodes import CampaignRule, Did, EventRule
from ma.rules.sql_context import Context
from ma.types import Arm


def event_fact(rule: EventRule, *, as_of: datetime, timezone: str, catalogue: Catalogue) -> Select:
    """What the events have that a leaf measures, over all the events of the catalogue: one row, one column.

    A count or amounts as they are (a sum of nothing is 0), an average as a float; for days since the last or
    first, the instant of that event. NULL where there is no event.
    """
    kind = catalogue.events[rule.event]
    events = sql_events.events_of(rule, kind, Context(as_of, timezone, catalogue))
    match rule.measure:
        case "count":
            fact = func.count()
        case "sum":
            fact = cast(func.coalesce(func.sum(events.amount), 0), BigInteger)
        case "avg":
            fact = cast(func.sum(events.amount), Float) / func.nullif(func.count(), 0)
        case "min":
            fact = func.min(events.amount)
        case "max":
            fact = func.max(events.amount)
        case "days_since_last":
            fact = func.max(events.at)
        case "days_since_first":
            fact = func.min(events.at)
    return events.rows.with_only_columns(fact).correlate(None)


def step_fact(rule: CampaignRule, customer_id: int, *, as_of: datetime) -> Select:
    """When a customer last did what a leaf asks for, whatever its period: campaign_id, at; a row or none."""
    at = sql_leaves.HAPPENED_AT[rule.did]
    last = select(Outcome.campaign_id, at.label("at")).where(Outcome.customer_id == customer_id, at <= as_of)
    if rule.did is Did.CONVERTED:
        last = last.where(Outcome.arm == Arm.TREATED.value)
    if rule.campaign is not None:
        last = last.where(Outcome.campaign_id == rule.campaign)
    elif rule.channel is not None:
        last = last.where(
            Outcome.campaign_id.in_(select(Campaign.id).where(Campaign.channel == rule.channel))
        )
    return last.order_by(at.desc()).limit(1)


def place_in_split(split: str, bucket: int) -> float:
    """Where the customers of a bucket stand in a named split, in percent with two decimals: 0 to 99.99."""
    factor, shift = sql_leaves.of_split(split)
    place = factor * (bucket + shift) ** 3 % sql_leaves.PRIME
    return place * 10_000 // sql_leaves.PRIME / 100


def field_fact(field: Field) -> ColumnElement:
    """A fact of the profile as it was written, where the compared column is folded."""
    column = field.column.expression if hasattr(field.column, "expression") else field.column
    table = column.table
    return table.c.get(column.name.removesuffix("_folded"), column)
