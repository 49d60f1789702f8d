"""Records that may be one person: suggestions with reasons, and what merging two of them would do."""

from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

import pandas as pd
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    String,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from ma.analytics import attributes
from ma.analytics.frames import read
from ma.db.letters import email_name
from ma.db.planning import unindexed
from ma.errors import InvalidInput, NotFound
from ma.models import (
    BehaviourEvent,
    Customer,
    CustomerTag,
    DistinctPair,
    Note,
    Outcome,
    Purchase,
)
from ma.rules.fields import FIELDS
from ma.types import Channel

CUSTOMER = Customer.__table__
# What more people share says nothing about one person: a switchboard, a placeholder.
MOST_ALIKE = 5
# Nor does a name that more people have.
MOST_NAMESAKES = 20
# So many groups of equal records are looked at, by phone and by name; where there are more, the result says
# so.
MOST_GROUPS = 20_000
# Equal records can still be two people, such as twins at one address.
MOST_CERTAIN = 99
_SHORTEST_PHONE, _PHONE_DIGITS = 7, 9
# Bound parameters of one statement: SQLite takes at most 32,766.
_BATCH = 10_000
# What else is equal beside the name -> (words, how much it says of 100).
_BESIDE_NAME = {
    "phone_end": ("same name and phone number", 80),
    "birth_date": ("same name and date of birth", 60),
    "email_name": ("same name and e-mail name at another provider", 50),
    "postal_code": ("same name and postal code", 45),
    "city_folded": ("same name and city", 30),
}
_REASONS = {"phone": ("same phone number", 30), **_BESIDE_NAME}
# Beside a phone number: families and offices share one, and seldom a name.
_SAME_NAME, _SAME_PART, _NAMELESS = (
    ("same name", 50),
    ("same first or last name", 20),
    ("one has no name", 20),
)
# Below this a pair is more likely two people: a family's phone, namesakes in one city.
LEAST_LIKELY = 40
# The fields of a customer that a merge chooses a value for.
MERGED_FIELDS = (
    "first_name", "last_name", "email", "phone", "external_id", "birth_date", "gender", "city", "postal_code",
    "country", "joined_on", "age_band", "income_band", "home_ownership", "marital_status", "household_size",
    "household_composition", "kids",
)  # fmt: skip


@dataclass(frozen=True)
class Suggestions:
    """Pairs that may be one person, the likeliest first.

    `pairs`: first_id, second_id, score (0-100), reasons (text), and of both (first_…, second_…) name, email,
    phone, city, orders. `total` is how many pairs were found; `complete` is False where there were too many
    to look at all of them.
    """

    pairs: pd.DataFrame
    total: int
    complete: bool


def suggestions(session: Session, *, as_of: datetime, limit: int = 100) -> Suggestions:
    """Customers who may be one person: by phone number or name, and something more.

    Compared are the last nine digits of phone numbers, and full names, without regard to case, with date of
    birth, postal code, city, or what stands before the @. Left out is what more than five records share,
    names of more than twenty, pairs that somebody declared to be two people, and deleted customers.
    Present values, whatever `as_of`. Looks at every customer: some 8 s of work at a million on SQLite.
    """
    by_phone, by_name = _by_phone(session), _by_name(session)
    complete = max(len(by_phone), len(by_name)) <= MOST_GROUPS
    found: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for reason, ids in (*by_name[:MOST_GROUPS], *by_phone[:MOST_GROUPS]):
        for pair in combinations(sorted(map(int, ids.split(","))), 2):
            reasons = found.setdefault(pair, [])
            if reason != "phone" or _BESIDE_NAME["phone_end"] not in reasons:
                reasons.append(_REASONS[reason])
    for pair in session.execute(select(DistinctPair.first_id, DistinctPair.second_id)):
        found.pop(tuple(pair), None)
    rows = [
        (*pair, sum(score for _, score in reasons), [words for words, _ in reasons])
        for pair, reasons in found.items()
    ]
    pairs = pd.DataFrame(rows, columns=["first_id", "second_id", "score", "reasons"])
    pairs = _told(session, pairs)
    return Suggestions(_ordered(pairs).head(limit).reset_index(drop=True), len(pairs), complete)


def _by_phone(session: Session) -> list[tuple[str, str]]:
    long_enough = func.length(CUSTOMER.c.phone_digits) >= _SHORTEST_PHONE
    groups = (
        select(literal("phone"), _ids(CUSTOMER.c.id))
        .where(unindexed(CUSTOMER.c.deleted_at).is_(None), long_enough)
        .group_by(_phone_end())
        .having(func.count().between(2, MOST_ALIKE))
        .limit(MOST_GROUPS + 1)
    )
    return [tuple(group) for group in session.execute(groups)]


def _by_name(session: Session) -> list[tuple[str, str]]:
    # The names come out of an index in order, with an id to stand for each of them: a fraction of the time
    # of sorting everybody by name and one thing more (0.4 s against 4 s for each at a million).
    names = (
        select(
            CUSTOMER.c.last_name_folded, CUSTOMER.c.first_name_folded, func.min(CUSTOMER.c.id).label("name")
        )
        .where(
            CUSTOMER.c.deleted_at.is_(None),
            CUSTOMER.c.last_name_folded.is_not(None),
            CUSTOMER.c.first_name_folded.is_not(None),
        )
        .group_by(CUSTOMER.c.last_name_folded, CUSTOMER.c.first_name_folded)
        .having(func.count().between(2, MOST_NAMESAKES))
        .cte("names")
    )
    namesakes = (
        select(
            names.c.name,
            CUSTOMER.c.id,
            CUSTOMER.c.birth_date,
            CUSTOMER.c.postal_code,
            CUSTOMER.c.city_folded,
            email_name(CUSTOMER.c.email_folded).label("email_name"),
            _phone_end().label("phone_end"),
        )
        .join(
            names,
            and_(
                CUSTOMER.c.deleted_at.is_(None),
                CUSTOMER.c.last_name_folded == names.c.last_name_folded,
                CUSTOMER.c.first_name_folded == names.c.first_name_folded,
            ),
        )
        .cte("namesakes")
    )
    groups = [
        select(literal(column), _ids(namesakes.c.id))
        .where(namesakes.c[column].is_not(None))
        .group_by(namesakes.c.name, namesakes.c[column])
        .having(func.count().between(2, MOST_ALIKE))
        for column in _BESIDE_NAME
    ]
    return [tuple(group) for group in session.execute(union_all(*groups).limit(MOST_GROUPS + 1))]


def _phone_end() -> ColumnElement:
    """The end of a phone number, without country and trunk prefixes."""
    digits = CUSTOMER.c.phone_digits
    length = func.length(digits)
    return case((length > _PHONE_DIGITS, func.substr(digits, length - _PHONE_DIGITS + 1)), else_=digits)


def _ids(column: ColumnElement) -> ColumnElement:
    return func.aggregate_strings(cast(column, String), ",")


def _ordered(pairs: pd.DataFrame) -> pd.DataFrame:
    return pairs.sort_values(["score", "first_id", "second_id"], ascending=[False, True, True])


def _told(session: Session, pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs with what both are called; an equal name counts beside a phone number, too."""
    people = _people(session, {*pairs["first_id"], *pairs["second_id"]})
    for side in ("first", "second"):
        theirs = people.rename(columns={name: f"{side}_{name}" for name in people})
        pairs = pairs.merge(theirs, how="left", left_on=f"{side}_id", right_on=f"{side}_customer_id")
    by_phone_alone = pairs["reasons"].map(lambda told: told == [_REASONS["phone"][0]]).astype(bool)
    named = by_phone_alone & _both_equal(pairs, "full_name")
    partly = by_phone_alone & ~named & (_both_equal(pairs, "first") | _both_equal(pairs, "last"))
    nameless = by_phone_alone & (pairs["first_name"].isna() | pairs["second_name"].isna())
    more = {_SAME_NAME: named, _SAME_PART: partly, _NAMELESS: nameless & ~named & ~partly}
    reasons = pairs["reasons"].map(", ".join).astype(str)
    for (words, points), told in more.items():
        pairs["score"] += points * told
        reasons += told.map({True: f", {words}", False: ""}).astype(str)
    pairs = pairs.assign(score=pairs["score"].clip(upper=MOST_CERTAIN), reasons=reasons)
    pairs = pairs[pairs["score"] >= LEAST_LIKELY]
    shown = [f"{side}_{name}" for side in ("first", "second") for name in _SHOWN]
    return pairs[["first_id", "second_id", "score", "reasons", *shown]]


_SHOWN = ("name", "email", "phone", "city", "orders")


def _both_equal(pairs: pd.DataFrame, name: str) -> pd.Series:
    first, second = pairs[f"first_{name}"], pairs[f"second_{name}"]
    return first.notna() & (first == second)


def _people(session: Session, ids: set[int]) -> pd.DataFrame:
    ordered = sorted(ids)
    starts = range(0, max(len(ordered), 1), _BATCH)
    rows = pd.concat(
        [_named(session, ordered[start : start + _BATCH]) for start in starts], ignore_index=True
    )
    texts = rows.drop(columns=["customer_id", "orders"]).astype(object)
    shown = texts["first_name"].fillna("").str.cat(texts["last_name"].fillna(""), sep=" ").str.strip()
    first, last = texts["first_name_folded"], texts["last_name_folded"]
    return rows[["customer_id", "email", "phone", "city", "orders"]].assign(
        name=shown.where(shown != "", None), full_name=first.str.cat(last, sep=" "), first=first, last=last
    )


def _named(session: Session, ids: list[int]) -> pd.DataFrame:
    names = ("first_name", "last_name", "first_name_folded", "last_name_folded")
    others = ("email", "phone", "city", "orders")
    columns = (CUSTOMER.c[name] for name in (*names, *others))
    return read(session, select(CUSTOMER.c.id.label("customer_id"), *columns).where(CUSTOMER.c.id.in_(ids)))


# Before a merge


@dataclass(frozen=True)
class Choice:
    """A field in which two records differ; `default` is "keep" or "other"."""

    name: str
    label: str
    keep: object
    other: object
    default: str


@dataclass(frozen=True)
class Preview:
    """What merging `other_id` into `keep_id` would do.

    `versions` are what `merge_customers` wants. `names` and `contacts` tell the two apart, kept record first.
    `consent`: channel -> (kept, other, after). `moves`: what changes hands, by kind (orders, visits,
    messages, notes, tags). `messages_left` campaigns were sent to both: the other's outcomes stay where they
    are.
    `lifetime_values` in minor units: of the kept record, of the other, and after.
    """

    keep_id: int
    other_id: int
    versions: tuple[int, int]
    names: tuple[str, str]
    contacts: tuple[str, str]
    choices: tuple[Choice, ...]
    consent: dict[Channel, tuple[bool, bool, bool]]
    moves: dict[str, int]
    messages_left: int
    lifetime_values: tuple[int, int, int]


def preview(session: Session, keep_id: int, other_id: int, *, as_of: datetime) -> Preview:
    """What merging two customers would do; figures count what happened until `as_of`.

    Raises NotFound, and InvalidInput for one and the same.
    """
    if keep_id == other_id:
        raise InvalidInput({"other": "This is one and the same record. Choose another one."})
    keep, other = _row(session, keep_id), _row(session, other_id)
    values = _spent(session, keep_id, as_of), _spent(session, other_id, as_of)
    return Preview(
        keep_id=keep_id,
        other_id=other_id,
        versions=(keep["version"], other["version"]),
        names=(_called(keep), _called(other)),
        contacts=(_contact(keep), _contact(other)),
        choices=(*_field_choices(keep, other), *_attribute_choices(session, keep_id, other_id)),
        consent={
            channel: (
                keep[f"consent_{channel}"],
                other[f"consent_{channel}"],
                keep[f"consent_{channel}"] and other[f"consent_{channel}"],
            )
            for channel in Channel
        },
        moves=_moves(session, keep_id, other_id, as_of),
        messages_left=_sent_to_both(session, keep_id, other_id),
        lifetime_values=(*values, sum(values)),
    )


def chosen_by_default(keep: object, other: object) -> str:
    """Whose value a field gets when nobody chooses: the kept record's, unless only the other has one."""
    return "other" if keep in (None, "") and other not in (None, "") else "keep"


def _row(session: Session, customer_id: int) -> dict:
    row = session.execute(
        select(CUSTOMER).where(CUSTOMER.c.id == customer_id, CUSTOMER.c.deleted_at.is_(None))
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no customer {customer_id}. They may have been deleted or merged.")
    return dict(row._mapping)


def _called(row: dict) -> str:
    name = " ".join(part for part in (row["first_name"], row["last_name"]) if part)
    return name or row["email"] or row["external_id"] or f"Customer {row['id']}"


def _contact(row: dict) -> str:
    return ", ".join(part for part in (row["email"], row["phone"], row["city"]) if part)


def _field_choices(keep: dict, other: dict) -> list[Choice]:
    return [
        Choice(name, FIELDS[name].title, keep[name], other[name], chosen_by_default(keep[name], other[name]))
        for name in MERGED_FIELDS
        if keep[name] != other[name]
    ]


def _attribute_choices(session: Session, keep_id: int, other_id: int) -> list[Choice]:
    keep, other = attributes.values(session, keep_id), attributes.values(session, other_id)
    return [
        Choice(
            f"attribute:{row.attribute_id}",
            row.name,
            keep.get(row.attribute_id),
            other.get(row.attribute_id),
            chosen_by_default(keep.get(row.attribute_id), other.get(row.attribute_id)),
        )
        for row in attributes.definitions(session).itertuples()
        if keep.get(row.attribute_id) != other.get(row.attribute_id)
    ]


def _spent(session: Session, customer_id: int, as_of: datetime) -> int:
    spent = func.coalesce(func.sum(Purchase.amount_minor), 0)
    mine = select(cast(spent, BigInteger)).where(Purchase.customer_id == customer_id, Purchase.at <= as_of)
    return session.scalar(mine)


def _moves(session: Session, keep_id: int, other_id: int, as_of: datetime) -> dict[str, int]:
    mine = CustomerTag.__table__.alias("mine")
    has = exists().where(mine.c.customer_id == keep_id, mine.c.tag_id == CustomerTag.tag_id)
    counts = {
        "orders": select(func.count()).where(Purchase.customer_id == other_id),
        "visits": select(func.count()).where(BehaviourEvent.customer_id == other_id),
        "messages": select(func.count()).where(Outcome.customer_id == other_id, Outcome.sent_at <= as_of),
        "notes": select(func.count()).where(Note.customer_id == other_id),
        "tags": select(func.count()).where(CustomerTag.customer_id == other_id, ~has),
    }
    return {name: session.scalar(count) for name, count in counts.items()}


def _sent_to_both(session: Session, keep_id: int, other_id: int) -> int:
    mine = Outcome.__table__.alias("mine")
    both = exists().where(mine.c.customer_id == keep_id, mine.c.campaign_id == Outcome.campaign_id)
    return session.scalar(
        select(func.count()).select_from(Outcome).where(Outcome.customer_id == other_id, both)
    )
