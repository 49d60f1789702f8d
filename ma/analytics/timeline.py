"""One customer's story: what they bought, were sent, did and allowed, in order of time."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

import pandas as pd
from sqlalchemy import (
    BigInteger,
    Integer,
    Select,
    String,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from ma.analytics.frames import read
from ma.errors import InvalidInput
from ma.models import (
    BehaviourEvent,
    Campaign,
    ConsentChange,
    Customer,
    CustomerFact,
    Note,
    Outcome,
    Purchase,
    PurchaseLine,
    Segment,
    SegmentMember,
    UtcTime,
)
from ma.models.fact import LIFTED
from ma.types import Arm, Channel

# Every kind of entry, with its name on screens.
KINDS = {
    "purchase": "Purchase",
    "refund": "Refund",
    "visit": "Web visit",
    "sent": "Message sent",
    "bounced": "Message bounced",
    "delivered": "Message delivered",
    "opened": "Message opened",
    "clicked": "Message clicked",
    "converted": "Converted",
    "unsubscribed": "Unsubscribed",
    "complained": "Marked as spam",
    "behaviour": "Other behaviour",
    "consent": "Consent",
    "segment": "Segment entered",
    "note": "Note",
    "sales": "Sales",
    "service": "Service",
}
MESSAGES = ("sent", "bounced", "delivered", "opened", "clicked", "converted", "unsubscribed", "complained")
# At the same instant, later steps of a message stand above the earlier ones.
_RANK = {kind: rank for rank, kind in enumerate(KINDS)}
# Whose story it is, and until when it is told.
_WHO, _UNTIL = bindparam("who", type_=BigInteger), bindparam("until", type_=UtcTime)


def timeline(
    session: Session,
    *,
    customer_id: int,
    as_of: datetime,
    kinds: str | Iterable[str] = (),
    limit: int | None = None,
    offset: int = 0,
) -> pd.DataFrame:
    """Everything one customer did, was sent or allowed until `as_of`, the latest first.

    Columns: at, kind (a key of KINDS), title, detail, amount_minor (NA where there is no money). `kinds`
    keeps some kinds only (all when empty; a text separates them by commas). Of the segments, those they are
    in now; of the notes, those that are still there.

    Raises InvalidInput for an unknown kind.
    """
    entries = _entries(_wanted(kinds))
    rows = (
        select(
            entries.c.at,
            entries.c.kind,
            entries.c.what,
            entries.c.how,
            entries.c.number,
            entries.c.amount_minor,
        )
        .order_by(entries.c.at.desc(), entries.c.rank.desc(), entries.c.ref.desc())
        .limit(limit)
        .offset(offset)
    )
    frame = read(session, rows, {"who": customer_id, "until": as_of})
    title, detail = _told(frame)
    return pd.DataFrame(
        {
            "at": pd.to_datetime(frame["at"], utc=True).dt.as_unit("us"),
            "kind": frame["kind"].astype("str"),
            "title": title,
            "detail": detail,
            "amount_minor": frame["amount_minor"].astype("Int64"),
        }
    )


def timeline_count(
    session: Session, *, customer_id: int, as_of: datetime, kinds: str | Iterable[str] = ()
) -> int:
    """How many entries `timeline` has."""
    entries = _entries(_wanted(kinds))
    count = select(func.count()).select_from(entries)
    return session.scalar(count, {"who": customer_id, "until": as_of})


def _wanted(kinds: str | Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(kind for kind in (kinds.split(",") if isinstance(kinds, str) else kinds) if kind)
    if unknown := [kind for kind in wanted if kind not in KINDS]:
        raise InvalidInput({"kinds": f"Unknown kind '{unknown[0]}'. Use some of {', '.join(KINDS)}."})
    return wanted or tuple(KINDS)


@lru_cache(maxsize=100)
def _entries(kinds: tuple[str, ...]):
    """All entries of some kinds as one query. It is written once: that takes as long as its execution."""
    parts = [_purchases(kinds)] if {"purchase", "refund"} & set(kinds) else []
    others = {
        "visit": _visits,
        "behaviour": _behaviour,
        "consent": _consent,
        "segment": _segments,
        "note": _notes,
        "sales": lambda: _facts("sales"),
        "service": lambda: _facts("service"),
    }
    parts += [part() for kind, part in others.items() if kind in kinds]
    parts += [_messages(step) for step in MESSAGES if step in kinds]
    entries = union_all(*parts).subquery("entry")
    # Nothing is told of a deleted customer. Asked once: in every part of the union it would be a join each.
    there = exists().where(Customer.id == _WHO, Customer.deleted_at.is_(None))
    return select(entries).where(there).subquery("told")


def _entry(at, kind, ref, *, what=None, how=None, number=None, amount_minor=None, rank=0) -> Select:
    """One part of the union; all parts have the same columns of the same types, in the same order."""
    return select(
        at.label("at"),
        cast(kind, String).label("kind"),
        cast(null() if what is None else what, String).label("what"),
        cast(null() if how is None else how, String).label("how"),
        cast(null() if number is None else number, BigInteger).label("number"),
        cast(null() if amount_minor is None else amount_minor, BigInteger).label("amount_minor"),
        literal(rank).label("rank"),
        cast(ref, BigInteger).label("ref"),
    )


def _purchases(kinds: tuple[str, ...]) -> Select:
    kept = [name for kind, name in (("purchase", "sale"), ("refund", "refund")) if kind in kinds]
    return (
        _entry(
            Purchase.at,
            case((Purchase.kind == "sale", "purchase"), else_="refund"),
            Purchase.id,
            what=Purchase.external_key,
            how=func.count(PurchaseLine.category_id.distinct()),
            number=func.sum(PurchaseLine.quantity),
            amount_minor=Purchase.amount_minor,
        )
        .outerjoin(PurchaseLine, PurchaseLine.purchase_id == Purchase.id)
        .where(
            Purchase.customer_id == _WHO,
            Purchase.at <= _UNTIL,
            Purchase.kind.in_(kept),
        )
        .group_by(Purchase.id)
    )


def _visits() -> Select:
    return _entry(
        BehaviourEvent.at,
        literal("visit"),
        BehaviourEvent.id,
        what=BehaviourEvent.page,
        how=BehaviourEvent.device,
    ).where(
        BehaviourEvent.customer_id == _WHO,
        BehaviourEvent.kind == "visit",
        BehaviourEvent.at <= _UNTIL,
    )


def _behaviour() -> Select:
    return _entry(
        BehaviourEvent.at,
        literal("behaviour"),
        BehaviourEvent.id,
        what=BehaviourEvent.kind,
        how=func.coalesce(BehaviourEvent.page, BehaviourEvent.device),
    ).where(
        BehaviourEvent.customer_id == _WHO,
        BehaviourEvent.kind != "visit",
        BehaviourEvent.at <= _UNTIL,
    )


def _consent() -> Select:
    return _entry(
        ConsentChange.at,
        literal("consent"),
        ConsentChange.id,
        what=ConsentChange.channel,
        how=ConsentChange.source,
        number=cast(ConsentChange.allowed, Integer),
    ).where(
        ConsentChange.customer_id == _WHO,
        ConsentChange.at <= _UNTIL,
    )


def _segments() -> Select:
    return (
        _entry(SegmentMember.entered_at, literal("segment"), Segment.id, what=Segment.name)
        .join(Segment, Segment.id == SegmentMember.segment_id)
        .where(
            SegmentMember.customer_id == _WHO,
            SegmentMember.entered_at <= _UNTIL,
        )
    )


def _notes() -> Select:
    return _entry(Note.at, literal("note"), Note.id, what=Note.text, how=Note.author).where(
        Note.customer_id == _WHO, Note.at <= _UNTIL
    )


def _facts(module: str) -> Select:
    return _entry(
        CustomerFact.at,
        literal(module),
        CustomerFact.id,
        what=CustomerFact.kind,
        how=func.coalesce(CustomerFact.detail, CustomerFact.channel),
        amount_minor=CustomerFact.amount_minor,
    ).where(
        CustomerFact.customer_id == _WHO,
        CustomerFact.module == module,
        CustomerFact.at <= _UNTIL,
        # What was taken back is not told, nor that it was.
        or_(CustomerFact.kind != LIFTED, CustomerFact.detail.is_not(None)),
    )


def _messages(step: str) -> Select:
    at = getattr(Outcome, f"{step}_at")
    # What a conversion was worth; NULL, not 0, where that is unknown.
    worth = func.nullif(Outcome.revenue_minor, 0) if step == "converted" else None
    return (
        _entry(
            at,
            literal(step),
            Outcome.campaign_id,
            what=Campaign.name,
            how=Campaign.channel,
            amount_minor=worth,
            rank=_RANK[step],
        )
        .join(Campaign, Campaign.id == Outcome.campaign_id)
        .where(
            Outcome.customer_id == _WHO,
            Outcome.arm == Arm.TREATED.value,
            Outcome.sent_at <= _UNTIL,
            at <= _UNTIL,
        )
    )


_CHANNELS = {channel.value: channel.label for channel in Channel}


def _told(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Title and detail of each entry, in words."""
    columns = (frame[name].astype(object).where(frame[name].notna(), None) for name in _TOLD)
    told = [_words(*entry) for entry in zip(*columns, strict=True)]
    titles, details = zip(*told, strict=True) if told else ((), ())
    return pd.Series(titles, dtype="str"), pd.Series(details, dtype="str")


_TOLD = ("kind", "what", "how", "number")


def _words(kind: str, what: str | None, how: str | None, number: int | None) -> tuple:
    """The title and detail of one entry; None is unknown."""
    if kind in ("purchase", "refund"):
        # Unknown lines, unknown number. A refund's pieces are negative; its kind says so already.
        contents = KINDS[kind]
        if number is not None and how is not None:
            items, categories = abs(int(number)), int(how)
            contents = (
                f"{_counted(items, 'item', 'items')} in {_counted(categories, 'category', 'categories')}"
            )
        return contents, None if what is None else f"Order {what}"
    if kind == "visit":
        return f"Looked at {'a page' if what is None else what.replace('_', ' ')}", how
    if kind in ("behaviour", "sales", "service"):
        return what.replace("_", " ").capitalize(), how and how.replace("_", " ")
    if kind == "consent":
        return f"{_CHANNELS[what]} {'allowed' if number else 'no longer allowed'}", how.capitalize()
    if kind == "note":
        # One line in a table; the notes themselves keep theirs.
        return " ".join(what.split()), how
    return what, _CHANNELS.get(how)


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
