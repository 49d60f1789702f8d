"""What is so for one customer about the facts that a rule asks for, in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from ma.analytics.workspace import workspace
from ma.clock import local_day
from ma.models import Campaign, Customer, SegmentMember
from ma.money import amount
from ma.rules import to_sql
from ma.rules.catalogue import Catalogue
from ma.rules.events import MEASURES
from ma.rules.facts import event_fact, field_fact, place_in_split, step_fact
from ma.rules.fields import Field, Kind
from ma.rules.nodes import CampaignRule, EventRule, FieldRule, Leaf, RandomRule, SegmentRule
from ma.rules.of_one import catalogue_of_one, of_one
from ma.text import significant

# What is shown of a list; the rest is counted.
_SHOWN = 8


def actual_values(
    session: Session, asked: Iterable[Leaf], customer_id: int, *, as_of: datetime, catalogue: Catalogue
) -> dict[Leaf, str | None]:
    """For each leaf what is so for a customer, in words ("never" too); None where it is unknown.

    One query for all that can stand in one row, and one for each list and each campaign leaf.
    """
    place, theirs = workspace(session), catalogue_of_one(catalogue, customer_id)
    words = _Words(place.currency, place.timezone, as_of)
    when = {"as_of": as_of, "timezone": place.timezone, "catalogue": theirs}
    found: dict[Leaf, str | None] = {}
    columns: dict[Leaf, ColumnElement] = {}
    for leaf in asked:
        match leaf:
            case FieldRule(name) if theirs.fields[name].rows is not None:
                found[leaf] = _listed(session, theirs.fields[name], words)
            case CampaignRule():
                found[leaf] = _step(session, leaf, customer_id, words)
            case FieldRule(name):
                columns[leaf] = _of_profile(theirs.fields[name], customer_id, when)
            case EventRule():
                columns[leaf] = of_one(event_fact(leaf, **when).scalar_subquery(), customer_id)
            case RandomRule():
                columns[leaf] = Customer.split_bucket
            case SegmentRule(segment_id):
                columns[leaf] = _on_list_since(segment_id, customer_id, as_of)
    labelled = [column.label(f"c{i}") for i, column in enumerate(columns.values())]
    row = session.execute(select(Customer.id, *labelled).where(Customer.id == customer_id)).one()
    return found | {leaf: words.of(leaf, value, theirs) for leaf, value in zip(columns, row[1:], strict=True)}


def _of_profile(field: Field, customer_id: int, when: dict) -> ColumnElement:
    if field.kind is not Kind.YES_NO:
        return field_fact(field)
    # Consent is that of `as_of`, which only the rule's own condition knows.
    return of_one(to_sql.leaf_condition(FieldRule(field.name, "eq", True), **when), customer_id)


def _on_list_since(segment_id: int, customer_id: int, as_of: datetime) -> ColumnElement:
    theirs = (
        SegmentMember.segment_id == segment_id,
        SegmentMember.customer_id == customer_id,
        SegmentMember.entered_at <= as_of,
    )
    return select(SegmentMember.entered_at).where(*theirs).correlate(None).scalar_subquery()


def _listed(session: Session, field: Field, words: "_Words") -> str | None:
    """The items of a list, or the value of an own field; its rows are already those of one customer."""
    shown = field_fact(field)
    values = session.scalars(select(shown).where(*field.rows.where, shown.is_not(None)).order_by(shown)).all()
    more = f" and {len(values) - _SHOWN:,} more" if len(values) > _SHOWN else ""
    return ", ".join(words.fact(field, value) for value in values[:_SHOWN]) + more or None


def _step(session: Session, leaf: CampaignRule, customer_id: int, words: "_Words") -> str:
    last = step_fact(leaf, customer_id, as_of=words.as_of).subquery()
    rows = select(last.c.at, Campaign.name).join(Campaign, Campaign.id == last.c.campaign_id)
    found = session.execute(rows).one_or_none()
    if found is None:
        return "never"
    return words.moment(found.at) if leaf.campaign else f"{words.moment(found.at)} ({found.name})"


@dataclass(frozen=True)
class _Words:
    """How values are said in a workspace."""

    currency: str
    timezone: str
    as_of: datetime

    def of(self, leaf: Leaf, value, catalogue: Catalogue) -> str | None:
        """What the fact of a leaf is; None for one that is unknown."""
        match leaf:
            case SegmentRule():
                return "not on the list" if value is None else f"on the list since {self.moment(value)}"
            case RandomRule(split):
                return f"at {place_in_split(split, value):.2f} %"
            case EventRule(measure=name):
                return MEASURES[name].field.absent if value is None else self._measured(name, value)
            case FieldRule(name):
                field = catalogue.fields[name]
                return field.absent or None if value is None else self.fact(field, value)
        return None

    def fact(self, field: Field, value) -> str:
        """A known value of a field."""
        match field.kind:
            case Kind.YES_NO:
                return "yes" if value else "no"
            case Kind.MONEY:
                return amount(value, self.currency)
            case Kind.COUNT:
                return f"{value:,}"
            case Kind.NUMBER:
                # Enough to see on which side of a limit it lies.
                return significant(value, 6)
            case Kind.AGE:
                return f"{self._age(value):,}"
            case Kind.DATE:
                return _day(value)
            case Kind.MOMENT:
                return self.moment(value)
        return str(value)

    def moment(self, value: datetime) -> str:
        """An instant as the day and time of the workspace: 3 May 2026, 14:05."""
        local = value.astimezone(ZoneInfo(self.timezone))
        return f"{_day(local)}, {local:%H:%M}"

    def _measured(self, name: str, value) -> str:
        if name.startswith("days_since"):
            days = (local_day(self.as_of, self.timezone) - local_day(value, self.timezone)).days
            return f"{days:,} day{'' if days == 1 else 's'} ({self.moment(value)})"
        return self.fact(MEASURES[name].field, value)

    def _age(self, born: date) -> int:
        today = local_day(self.as_of, self.timezone)
        return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _day(day: date) -> str:
    return f"{day.day} {day:%B} {day.year}"
