"""What rules can speak of in one workspace: its own fields, kinds of events, campaigns and segments."""

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import func, literal_column, select
from sqlalchemy.orm import Session

from ma.models import Attribute, AttributeValue, BehaviourEvent, Campaign, Segment
from ma.rules.catalogue import Catalogue, KnownSegment
from ma.rules.events import EVENTS, EventKind, behaviour
from ma.rules.fields import FIELDS, Field, Kind, Rows

# A file whose kinds are as good as unique would otherwise make a catalogue without end.
MOST_KINDS = 500
# As in `attribute_fields`: whole numbers up to here are exact as a float.
GREATEST = 10**15
_ABOUT = "A field that this workspace defined itself."
_COLUMNS = {
    "text": (Kind.TEXT, AttributeValue.text_folded),
    "number": (Kind.NUMBER, AttributeValue.number),
    "yes_no": (Kind.YES_NO, AttributeValue.flag),
    "date": (Kind.DATE, AttributeValue.day),
    "list": (Kind.LIST, AttributeValue.text_folded),
}


def catalogue(session: Session, *, but: int | None = None) -> Catalogue:
    """The catalogue of this workspace, in a few reads that do not grow with the number of customers.

    `but` is a segment that is left out: one whose own rule is being written cannot be part of it.
    """
    campaigns = session.execute(select(Campaign.id, Campaign.name).order_by(Campaign.name_folded)).all()
    segments = session.execute(
        select(Segment.id, Segment.name, Segment.rule, Segment.static).order_by(Segment.name_folded)
    ).all()
    return Catalogue(
        fields=FIELDS | {field.name: field for field in own_fields(session)},
        events=EVENTS | {event.name: event for event in _behaviours(kinds(session))},
        campaigns={row.id: row.name for row in campaigns},
        segments={
            row.id: KnownSegment(row.name, None if row.static else row.rule)
            for row in segments
            if row.id != but
        },
    )


def own_fields(session: Session) -> list[Field]:
    """The workspace's own fields as fields of rules, by name: attribute:12."""
    rows = session.execute(
        select(Attribute.id, Attribute.name, Attribute.kind, Attribute.choices).order_by(
            Attribute.name_folded
        )
    ).all()
    return [_own(row) for row in rows if row.kind in _COLUMNS]


def _own(row) -> Field:
    kind, column = _COLUMNS[row.kind]
    numeric = kind is Kind.NUMBER
    return Field(
        f"attribute:{row.id}",
        row.name,
        kind,
        column,
        _ABOUT,
        low=-GREATEST if numeric else None,
        high=GREATEST if numeric else None,
        rows=Rows(AttributeValue.customer_id, (AttributeValue.attribute_id == row.id,)),
        suggests=bool(row.choices),
    )


def kinds(session: Session, *, most: int = MOST_KINDS) -> list[str]:
    """The kinds of behaviour in the data beside visits, at most so many, in the database's order.

    Walks from each kind to the next one in an index that holds no visits: its time grows with the number of
    kinds, not with that of events.
    """
    kind = BehaviourEvent.kind
    # Written out: SQLite uses the index only where its condition stands in the query literally.
    beside_visits = kind != literal_column("'visit'")
    first = select(func.min(kind).label("kind")).where(beside_visits).cte("kinds", recursive=True)
    following = select(func.min(kind)).where(beside_visits, kind > first.c.kind).scalar_subquery()
    walk = first.union_all(select(following).where(first.c.kind.is_not(None)))
    found = session.scalars(select(walk.c.kind).where(walk.c.kind.is_not(None)).limit(most))
    return list(found)


def _behaviours(found: Iterable[str]) -> list[EventKind]:
    """Kinds of behaviour as events of rules; one that is called as another event has a name of its own."""
    return [
        replace(behaviour(kind), name=f"behaviour:{kind}") if kind in EVENTS else behaviour(kind)
        for kind in found
    ]
