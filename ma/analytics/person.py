"""Everything held on one person, as one document that can be handed to them."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, CompoundSelect, Select, and_, cast, or_, select, union
from sqlalchemy.orm import Session, aliased

from ma.analytics import attributes
from ma.analytics.customer_scores import scores_held
from ma.analytics.workspace import workspace
from ma.errors import NotFound
from ma.models import (
    Attribute,
    Audit,
    BehaviourEvent,
    Campaign,
    Category,
    ConsentChange,
    Customer,
    CustomerFact,
    CustomerTag,
    DistinctPair,
    ImportChange,
    ImportRun,
    Lead,
    Note,
    Outcome,
    Purchase,
    PurchaseLine,
    SalesSignal,
    Segment,
    SegmentMember,
    ServiceSignal,
    Suppression,
    Tag,
    Ticket,
)
from ma.money import digits, unit
from ma.types import Channel

CUSTOMER = Customer.__table__
_WHO = (
    "external_id", "first_name", "last_name", "email", "phone", "gender", "birth_date", "city", "postal_code",
    "country", "joined_on", "age_band", "income_band", "home_ownership", "marital_status", "household_size",
    "household_composition", "kids", "created_at", "updated_at",
)  # fmt: skip
_STEPS = (
    "assigned", "sent", "bounced", "delivered", "opened", "clicked", "converted", "unsubscribed",
    "complained",
)  # fmt: skip


def everything(session: Session, customer_id: int, *, as_of: datetime) -> dict:
    """All that is held on one person, ready for JSON.

    Keys: about (when it was made, workspace, time zone, currency); profile; figures (derived from the facts
    below); scores (what the value models expect); consent (per channel: allowed, and its history);
    own_fields; tags; notes; purchases with their lines; behaviour; messages and what was done with them;
    sales_and_service (what the two told of them); leads, tickets, signals and suppressions (what the two
    keep of them, with what people wrote there); segments; imports (what imports changed about them);
    not_the_same_person_as; earlier_records (merged into this one, or deleted with the same e-mail address or
    external id: their profiles; what happened to them stands with the rest); log (who did what to their
    records). Times are those of the workspace's time zone, amounts are decimal texts in the currency. What
    lies after `as_of`, as simulated steps can, is left out.

    Raises NotFound, for deleted customers too.
    """
    person = _row(session, customer_id)
    one = select(CUSTOMER.c.id).where(CUSTOMER.c.id == customer_id)
    earlier = sorted(session.scalars(earlier_records(one, at=as_of)))
    ids = [customer_id, *earlier]
    place = workspace(session)
    tell = _Telling(place.timezone, place.currency)
    document = {
        "about": {
            "customer": customer_id,
            "made_at": as_of,
            "workspace": place.name,
            "time_zone": place.timezone,
            "currency": place.currency,
        },
        "profile": _profile(person),
        "figures": _figures(person, tell),
        "scores": _scores(session, ids, tell),
        "consent": _consent(session, person, ids),
        "own_fields": _own_fields(session, customer_id),
        "tags": _tags(session, ids),
        "notes": _notes(session, ids),
        "purchases": _purchases(session, ids, as_of, tell),
        "behaviour": _behaviour(session, ids, as_of),
        "messages": _messages(session, ids, as_of, tell),
        "sales_and_service": _facts(session, ids, as_of, tell),
        "leads": _leads(session, ids, as_of, tell),
        "tickets": _tickets(session, ids, as_of),
        "signals": _signals(session, ids, as_of, tell),
        "suppressions": _suppressions(session, ids, as_of),
        "segments": _segments(session, ids),
        "imports": _imports(session, ids),
        "not_the_same_person_as": _others(session, customer_id),
        "earlier_records": [_earlier(session, earlier_id) for earlier_id in earlier],
        "log": _log(session, ids),
    }
    return tell.plainly(document)


def earlier_records(people: Select, *, at: datetime) -> CompoundSelect:
    """The ids of hidden records of the same people: merged into theirs, or deleted by `at` with their e-mail
    address or external id. `people` selects ids; those who were erased are nobody's."""
    gone, mine = aliased(CUSTOMER, name="gone"), aliased(CUSTOMER, name="mine")
    # A comparison with a time instead of IS NOT NULL: that is what the index serves.
    hidden = (gone.c.deleted_at <= at, gone.c.erased_at.is_(None), gone.c.id.not_in(people))
    return union(
        select(gone.c.id).where(*hidden, gone.c.merged_into.in_(people)),
        *(
            select(gone.c.id).join(mine, mine.c[name] == gone.c[name]).where(*hidden, mine.c.id.in_(people))
            for name in ("email_folded", "external_id")
        ),
    )


class _Telling:
    """Values as they stand in the document."""

    def __init__(self, timezone: str, currency: str):
        self._zone, self._unit, self._digits = ZoneInfo(timezone), unit(currency), digits(currency)

    def money(self, minor: int | None) -> str | None:
        """An amount in minor units as a decimal text, exactly."""
        if minor is None:
            return None
        whole, rest = divmod(abs(minor), self._unit)
        sign = "-" if minor < 0 else ""
        return f"{sign}{whole}.{rest:0{self._digits}d}" if self._digits else f"{sign}{whole}"

    def plainly(self, value):
        """The document with times and days as ISO texts."""
        if isinstance(value, dict):
            return {key: self.plainly(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.plainly(inner) for inner in value]
        if isinstance(value, datetime):
            return value.astimezone(self._zone).isoformat()
        return value.isoformat() if isinstance(value, date) else value


def _row(session: Session, customer_id: int) -> dict:
    row = session.execute(
        select(CUSTOMER).where(CUSTOMER.c.id == customer_id, CUSTOMER.c.deleted_at.is_(None))
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no customer {customer_id}. They may have been deleted.")
    return dict(row._mapping)


def _profile(row: dict) -> dict:
    return {name: row[name] for name in _WHO}


def _figures(row: dict, tell: _Telling) -> dict:
    return {
        "orders": row["orders"],
        "lifetime_value": tell.money(row["spend_minor"]),
        "average_order": tell.money(row["average_order_minor"]),
        "first_order_at": row["first_order_at"],
        "last_order_at": row["last_order_at"],
        "favourite_category": row["favourite_category"],
        "visits": row["visits"],
        "last_visit_at": row["last_visit_at"],
        "engagement_score": row["engagement"],
        "worked_out_at": row["profiled_at"],
    }


def _scores(session: Session, ids: list[int], tell: _Telling) -> list[dict]:
    found = scores_held(session, ids)
    for row in found:
        value, profit = row.pop("expected_value_minor"), row.pop("next_profit_minor")
        row["expected_value"] = tell.money(value)
        row["next_profit"] = tell.money(None if profit is None else round(profit))
    return found


def _consent(session: Session, row: dict, ids: list[int]) -> dict:
    rows = _all(
        session,
        select(
            ConsentChange.channel,
            ConsentChange.at,
            ConsentChange.allowed,
            ConsentChange.source,
            ConsentChange.actor.label("recorded_by"),
            ImportRun.file_name.label("file"),
        )
        .outerjoin(ImportRun, ImportRun.id == ConsentChange.import_id)
        .where(ConsentChange.customer_id.in_(ids))
        .order_by(ConsentChange.at, ConsentChange.id),
    )
    return {
        channel.value: {
            "allowed": row[f"consent_{channel}"],
            "history": [
                {key: value for key, value in entry.items() if key != "channel"}
                for entry in rows
                if entry["channel"] == channel
            ],
        }
        for channel in Channel
    }


def _own_fields(session: Session, customer_id: int) -> dict:
    names = dict(session.execute(select(Attribute.id, Attribute.name)).all())
    return {names[key]: value for key, value in attributes.values(session, customer_id).items()}


def _tags(session: Session, ids: list[int]) -> list[dict]:
    return _all(
        session,
        select(Tag.name.label("tag"), CustomerTag.at, CustomerTag.actor.label("by"))
        .join(Tag, Tag.id == CustomerTag.tag_id)
        .where(CustomerTag.customer_id.in_(ids))
        .order_by(Tag.name_folded),
    )


def _notes(session: Session, ids: list[int]) -> list[dict]:
    return _all(
        session,
        select(Note.at, Note.author, Note.text, Note.edited_at)
        .where(Note.customer_id.in_(ids))
        .order_by(Note.at, Note.id),
    )


def _purchases(session: Session, ids: list[int], as_of: datetime, tell: _Telling) -> list[dict]:
    orders = _all(
        session,
        select(
            Purchase.id,
            Purchase.external_key.label("order"),
            Purchase.kind,
            Purchase.at,
            Purchase.amount_minor,
        )
        .where(Purchase.customer_id.in_(ids), Purchase.at <= as_of)
        .order_by(Purchase.at, Purchase.id),
    )
    lines = _all(
        session,
        select(
            PurchaseLine.purchase_id,
            Category.name.label("category"),
            PurchaseLine.product,
            PurchaseLine.quantity,
            PurchaseLine.amount_minor,
        )
        .join(Purchase, Purchase.id == PurchaseLine.purchase_id)
        .outerjoin(Category, Category.id == PurchaseLine.category_id)
        .where(Purchase.customer_id.in_(ids), Purchase.at <= as_of)
        .order_by(PurchaseLine.purchase_id, PurchaseLine.line),
    )
    of: dict[int, list[dict]] = {}
    for line in lines:
        of.setdefault(line.pop("purchase_id"), []).append(_priced(line, tell))
    return [
        _priced({key: value for key, value in order.items() if key != "id"}, tell)
        | {"lines": of.get(order["id"], [])}
        for order in orders
    ]


def _behaviour(session: Session, ids: list[int], as_of: datetime) -> list[dict]:
    return _all(
        session,
        select(
            BehaviourEvent.at,
            BehaviourEvent.kind,
            BehaviourEvent.page,
            BehaviourEvent.device,
            BehaviourEvent.external_key.label("key"),
        )
        .where(BehaviourEvent.customer_id.in_(ids), BehaviourEvent.at <= as_of)
        .order_by(BehaviourEvent.at, BehaviourEvent.id),
    )


def _messages(session: Session, ids: list[int], as_of: datetime, tell: _Telling) -> list[dict]:
    times = [getattr(Outcome, f"{step}_at") for step in _STEPS]
    rows = _all(
        session,
        select(
            Campaign.name.label("campaign"),
            Campaign.channel,
            Campaign.subject,
            Outcome.arm,
            Outcome.variant,
            Outcome.wave,
            Outcome.source,
            *times,
            Outcome.revenue_minor,
        )
        .join(Campaign, Campaign.id == Outcome.campaign_id)
        .where(Outcome.customer_id.in_(ids))
        .order_by(Outcome.assigned_at, Outcome.campaign_id, Outcome.customer_id),
    )
    for row in rows:
        for step in _STEPS:
            # Simulated steps lie in the future until they happen; that somebody is planned in is known now.
            if step != "assigned" and row[f"{step}_at"] is not None and row[f"{step}_at"] > as_of:
                row[f"{step}_at"] = None
        worth = row.pop("revenue_minor")
        row["revenue"] = tell.money(worth) if row["converted_at"] is not None else None
    return rows


def _facts(session: Session, ids: list[int], as_of: datetime, tell: _Telling) -> list[dict]:
    fact = CustomerFact.__table__.c
    names = ("at", "module", "kind", "ref", "campaign_id", "channel", "detail", "amount_minor")
    rows = select(*(fact[name] for name in names)).where(fact.customer_id.in_(ids), fact.at <= as_of)
    return [_priced(row, tell) for row in _all(session, rows.order_by(fact.at, fact.id))]


def _leads(session: Session, ids: list[int], as_of: datetime, tell: _Telling) -> list[dict]:
    names = (
        "id", "campaign_id", "channel", "reason", "score", "stage", "owner", "value_minor", "opened_at",
        "signal_at", "stage_at", "closed_at", "lost_reason", "note",
    )  # fmt: skip
    rows = _theirs(Lead, names, ids).where(Lead.opened_at <= as_of).order_by(Lead.opened_at, Lead.id)
    return [_priced(row, tell, "value_minor", "value") for row in _all(session, rows)]


def _tickets(session: Session, ids: list[int], as_of: datetime) -> list[dict]:
    names = (
        "id", "kind", "campaign_id", "channel", "priority", "status", "assignee", "opened_at", "due_at",
        "status_at", "closed_at", "resolution", "note",
    )  # fmt: skip
    rows = _theirs(Ticket, names, ids).where(Ticket.opened_at <= as_of)
    return _all(session, rows.order_by(Ticket.opened_at, Ticket.id))


def _signals(session: Session, ids: list[int], as_of: datetime, tell: _Telling) -> list[dict]:
    """What Sales and Service heard of, also what was withdrawn or came too late to be worked on."""
    names = ("at", "campaign_id", "step", "channel", "stale", "withdrawn", "told_at")
    of_sales = _theirs(SalesSignal, (*names, "band", "revenue_minor"), ids).where(SalesSignal.at <= as_of)
    of_service = _theirs(ServiceSignal, names, ids).where(ServiceSignal.at <= as_of)
    sales = [_priced(row, tell, "revenue_minor", "revenue") for row in _all(session, of_sales)]
    service = _all(session, of_service)
    both = [{"module": "sales"} | row for row in sales] + [{"module": "service"} | row for row in service]
    return sorted(both, key=lambda row: (row["at"], row["module"], row["campaign_id"], row["step"]))


def _suppressions(session: Session, ids: list[int], as_of: datetime) -> list[dict]:
    rows = _theirs(Suppression, ("channel", "reason", "since", "campaign_id"), ids)
    rows = rows.where(Suppression.since <= as_of)
    return _all(session, rows.order_by(Suppression.since, Suppression.channel))


def _theirs(model, names: tuple[str, ...], ids: list[int]) -> Select:
    return select(*(getattr(model, name) for name in names)).where(model.customer_id.in_(ids))


def _segments(session: Session, ids: list[int]) -> list[dict]:
    return _all(
        session,
        select(Segment.name.label("segment"), SegmentMember.entered_at.label("since"))
        .join(Segment, Segment.id == SegmentMember.segment_id)
        .where(SegmentMember.customer_id.in_(ids))
        .order_by(Segment.name_folded),
    )


def _imports(session: Session, ids: list[int]) -> list[dict]:
    changed = _all(
        session,
        select(
            ImportRun.at,
            ImportRun.file_name.label("file"),
            ImportRun.actor.label("by"),
            ImportChange.before.label("what_was_there_before"),
        )
        .join(ImportRun, ImportRun.id == ImportChange.import_id)
        .where(
            or_(
                *(
                    and_(ImportChange.noun == noun, ImportChange.object_id.in_(theirs))
                    for noun, theirs in (
                        ("customer", ids),
                        ("event", select(BehaviourEvent.id).where(BehaviourEvent.customer_id.in_(ids))),
                        ("purchase", select(Purchase.id).where(Purchase.customer_id.in_(ids))),
                    )
                )
            )
        )
        .order_by(ImportRun.at, ImportRun.id),
    )
    added = _all(
        session,
        select(ImportRun.at, ImportRun.file_name.label("file"), ImportRun.actor.label("by"))
        .join(Customer, Customer.import_id == ImportRun.id)
        .where(Customer.id.in_(ids))
        .order_by(ImportRun.at, ImportRun.id),
    )
    return [entry | {"what_was_there_before": None} for entry in added] + changed


def _others(session: Session, customer_id: int) -> list[dict]:
    pairs = _all(
        session,
        select(DistinctPair.first_id, DistinctPair.second_id, DistinctPair.at, DistinctPair.actor.label("by"))
        .where((DistinctPair.first_id == customer_id) | (DistinctPair.second_id == customer_id))
        .order_by(DistinctPair.first_id, DistinctPair.second_id),
    )
    for pair in pairs:
        first, second = pair.pop("first_id"), pair.pop("second_id")
        pair["customer"] = second if first == customer_id else first
    return pairs


def _earlier(session: Session, customer_id: int) -> dict:
    row = session.execute(select(CUSTOMER).where(CUSTOMER.c.id == customer_id)).mappings().one()
    own = _own_fields(session, customer_id)
    return {
        "customer": customer_id,
        "merged": row["merged_into"] is not None,
        "hidden_at": row["deleted_at"],
        "profile": _profile(dict(row)),
        "own_fields": own,
    }


def _log(session: Session, ids: list[int]) -> list[dict]:
    on_them = and_(Audit.noun == "customer", Audit.object_id.in_([str(key) for key in ids]))
    named = cast(Audit.detail["customer_id"].as_string(), BigInteger).in_(ids)
    return _all(
        session,
        select(
            Audit.at,
            Audit.actor.label("by"),
            Audit.action,
            Audit.noun.label("on"),
            Audit.detail.label("what"),
        )
        .where(or_(on_them, and_(Audit.noun == "note", named)))
        .order_by(Audit.at, Audit.id),
    )


def _all(session: Session, rows: Select) -> list[dict]:
    return [dict(row) for row in session.execute(rows).mappings()]


def _priced(row: dict, tell: _Telling, column: str = "amount_minor", name: str = "amount") -> dict:
    amount = tell.money(row[column])
    return {key: value for key, value in row.items() if key != column} | {name: amount}
