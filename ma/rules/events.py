"""The catalogue of what customers do: events, their own fields, and what can be measured over them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement

from ma.models import BehaviourEvent, Category, CustomerFact, Purchase, PurchaseLine
from ma.rules.fields import LARGEST, Field, Kind

# Amounts of events stay exact also where they are multiplied by a count.
MOST_MINOR = 10**12
LONGEST_AGO = 365 * 150


@dataclass(frozen=True)
class EventKind:
    """One kind of event. `label` stands in a sentence: "number of purchases".

    `owner`, `at` and `amount` are columns of the table in which its events stand; `where` chooses them there.
    Fields of the lines of an order stand in tables of their own, joined where one is asked for; `line_amount`
    is that of one line.
    """

    name: str
    label: str
    plural: str
    owner: ColumnElement
    at: ColumnElement
    where: tuple[ColumnElement, ...]
    fields: Mapping[str, Field]
    amount: ColumnElement | None = None
    line_amount: ColumnElement | None = None


# What can be asked about an order: of one and the same line of it, or of the whole order.
_LINE_FIELDS = {
    f.name: f
    for f in (
        Field(
            "category",
            "category",
            Kind.TEXT,
            Category.name_folded,
            "A product category in it.",
            suggests=True,
        ),
        Field("product", "product", Kind.CODE, PurchaseLine.product, "A product in it.", suggests=True),
        Field(
            "quantity", "quantity", Kind.COUNT, PurchaseLine.quantity, "How many of it.", low=0, high=LARGEST
        ),
    )
}
LINE_FIELDS = frozenset(_LINE_FIELDS)

_VISIT_FIELDS = {
    f.name: f
    for f in (
        Field("page", "page", Kind.CODE, BehaviourEvent.page, "What it was about.", suggests=True),
        Field("device", "device", Kind.CHOICE, BehaviourEvent.device, "As it was sent.", suggests=True),
    )
}

_FACT_FIELDS = {
    f.name: f
    for f in (
        Field("reason", "reason", Kind.CODE, CustomerFact.detail, "Why, or how it ended.", suggests=True),
        Field("channel", "channel", Kind.CHOICE, CustomerFact.channel, "Of the campaign.", suggests=True),
    )
}


def _order(name: str, label: str, plural: str, kind: str, sign: int) -> EventKind:
    """Orders of one kind. What was given back is stored as negative, and people speak of it as positive."""
    amount, line_amount = (
        (column if sign > 0 else -column) for column in (Purchase.amount_minor, PurchaseLine.amount_minor)
    )
    of_order = Field(
        "order_amount",
        "amount of the order",
        Kind.MONEY,
        amount,
        "The whole order's amount.",
        low=-MOST_MINOR,
        high=MOST_MINOR,
        always_known=True,
    )
    return EventKind(
        name,
        label,
        plural,
        owner=Purchase.customer_id,
        at=Purchase.at,
        where=(Purchase.kind == kind,),
        fields=_LINE_FIELDS | {of_order.name: of_order},
        amount=amount,
        line_amount=line_amount,
    )


def behaviour(kind: str) -> EventKind:
    """The events of one kind of behaviour, named as they are in the data."""
    words = kind.replace("_", " ")
    return EventKind(
        kind,
        words,
        "visits" if kind == "visit" else f"“{words}” events",
        owner=BehaviourEvent.customer_id,
        at=BehaviourEvent.at,
        where=(BehaviourEvent.kind == kind,),
        fields=_VISIT_FIELDS,
    )


def _fact(name: str, label: str, plural: str, *, of_amount: bool = False) -> EventKind:
    """What Sales and Service told of customers."""
    return EventKind(
        name,
        label,
        plural,
        owner=CustomerFact.customer_id,
        at=CustomerFact.at,
        where=(CustomerFact.kind == name,),
        fields=_FACT_FIELDS,
        amount=CustomerFact.amount_minor if of_amount else None,
    )


# Those of every workspace. Other kinds of behaviour come from its data (`ma.rules.catalogue`).
EVENTS: dict[str, EventKind] = {
    kind.name: kind
    for kind in (
        _order("purchase", "purchase", "purchases", "sale", 1),
        _order("refund", "refund", "refunds", "refund", -1),
        behaviour("visit"),
        _fact("lead_opened", "opened lead", "opened leads"),
        _fact("lead_won", "won lead", "won leads", of_amount=True),
        _fact("lead_lost", "lost lead", "lost leads"),
        _fact("ticket_opened", "opened ticket", "opened tickets"),
        _fact("ticket_closed", "closed ticket", "closed tickets"),
        _fact("suppressed", "suppression", "suppressions"),
    )
}


@dataclass(frozen=True)
class Measure:
    """What is computed over a customer's events. `field` says what it is compared with.

    Without any event a count and a sum are 0; there is then nothing to say of the others (`field.absent`).
    """

    name: str
    of_amount: bool
    field: Field = field(compare=False)


def _measure(name: str, label: str, kind: Kind, *, of_amount: bool, absent: str = "") -> Measure:
    low, high = (-MOST_MINOR, MOST_MINOR) if kind is Kind.MONEY else (0, LARGEST)
    if name.startswith("days_since"):
        high = LONGEST_AGO
    about = Field(name, label, kind, None, "", low=low, high=high, always_known=not absent, absent=absent)
    return Measure(name, of_amount, about)


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        _measure("count", "number", Kind.COUNT, of_amount=False),
        _measure("sum", "total amount", Kind.MONEY, of_amount=True),
        _measure("avg", "average amount", Kind.MONEY, of_amount=True, absent="none"),
        _measure("min", "lowest amount", Kind.MONEY, of_amount=True, absent="none"),
        _measure("max", "highest amount", Kind.MONEY, of_amount=True, absent="none"),
        _measure("days_since_last", "days since the last", Kind.COUNT, of_amount=False, absent="never"),
        _measure("days_since_first", "days since the first", Kind.COUNT, of_amount=False, absent="never"),
    )
}


def measures_of(event: EventKind) -> dict[str, Measure]:
    """The measures an event has: those of amounts only where it has one."""
    return {m.name: m for m in MEASURES.values() if event.amount is not None or not m.of_amount}
