"""An audience at a glance: age, country, value and engagement of its people, against everybody."""

from datetime import datetime
from itertools import pairwise

import numpy as np
import pandas as pd
from sqlalchemy import BigInteger, ColumnElement, String, case, cast, func, literal, select
from sqlalchemy.orm import Session

from ma.analytics.catalogue import catalogue as catalogue_of
from ma.analytics.rates import ratio
from ma.analytics.workspace import workspace
from ma.clock import local_day
from ma.db.counting import COUNT, counted
from ma.models import Customer
from ma.money import symbol, unit
from ma.rules import to_sql
from ma.rules.catalogue import Catalogue
from ma.rules.nodes import Node
from ma.rules.sql_values import Age

FACETS = {"age": "Age", "country": "Country", "value": "Lifetime value", "engagement": "Engagement score"}
UNKNOWN = "Unknown"
OTHER = "Other"
NO_SPEND = "Nothing yet"
MOST_COUNTRIES = 6
# The first age of each band; recorded bands are shown as they were recorded.
_AGES = (18, 25, 35, 45, 55, 65)
_SCORES = (20, 40, 60, 80)
# Everybody who spent is parted into so many bands of about the same size.
_VALUES = 5
# Bands are digits of a number in eights, the last of which stands for unknown; whether somebody is chosen is
# the bit before them.
_BANDS, _NONE = 8, 7
_IN, _VALUE, _SCORE, _AGE = 1, 2, 2 * 8, 2 * 8 * 8


def glance(
    session: Session, node: Node, *, as_of: datetime, catalogue: Catalogue | None = None
) -> pd.DataFrame:
    """How the people of a rule spread over age, country, value and engagement, and how everybody does.

    One row for each facet ("age", "country", "value", "engagement") and band, in the order of the bands;
    those of whom it is unknown stand last, in the band “Unknown”. people (chosen), everybody (all customers):
    int64; share and share_everybody: of all chosen and of all customers, unknown ones included; NaN of
    nobody.

    Ages come from the birth date, or are the recorded band. Bands of value part everybody who spent into
    fifths, rounded. Profile figures are the present ones whatever `as_of`. Two queries: one for the bands of
    value, one scan.
    """
    place, known = workspace(session), catalogue or catalogue_of(session)
    chosen = to_sql.condition(node, as_of=as_of, timezone=place.timezone, catalogue=known)
    limits = value_limits(session, currency=place.currency)
    spend, score, born = Customer.spend_minor, Customer.engagement, Customer.birth_date
    age = Age(born, local_day(as_of, place.timezone))
    coded = (
        case((chosen, literal(_IN)), else_=literal(0))
        + _VALUE * _band([spend <= limit for limit in (0, *limits)])
        + _SCORE * case((score.is_(None), _NONE), else_=_band([score < limit for limit in _SCORES]))
        + _AGE * case((born.is_(None), _NONE), else_=_band([age.below(limit) for limit in _AGES]))
    )
    recorded = case((born.is_(None), func.nullif(Customer.age_band, "")))
    rows = select(coded.label("coded"), Customer.country, cast(recorded, String).label("recorded"))
    found = counted(session, rows.where(to_sql.present()))
    code = found["coded"].to_numpy()
    found["chosen"] = np.where(code & _IN, found[COUNT], 0)
    found["value"], found["engagement"], ages = (code // digit % _BANDS for digit in (_VALUE, _SCORE, _AGE))
    names = dict(enumerate(_age_names()))
    found["age"] = [names.get(band, said) for band, said in zip(ages, found["recorded"], strict=True)]
    values = [NO_SPEND, *_ranges(limits, currency=place.currency)]
    bands = {
        "age": _bands(found, "age", sorted(found["age"].dropna().unique(), key=_first_number)),
        "country": _countries(found),
        "value": _bands(found, "value", dict(enumerate(values))),
        "engagement": _bands(found, "engagement", _score_names()),
    }
    frame = pd.concat([part.assign(facet=name) for name, part in bands.items()], ignore_index=True)
    total, everybody = int(found["chosen"].sum()), int(found[COUNT].sum())
    frame["share"] = ratio(frame["people"], pd.Series(total, index=frame.index))
    frame["share_everybody"] = ratio(frame["everybody"], pd.Series(everybody, index=frame.index))
    return frame[["facet", "band", "people", "everybody", "share", "share_everybody"]]


def value_limits(session: Session, *, currency: str) -> list[int]:
    """Amounts in minor units that part everybody who spent into fifths, rounded to two digits, rising."""
    spent = (Customer.deleted_at.is_(None), Customer.spend_minor > 0)
    people = session.scalar(select(func.count()).select_from(Customer).where(*spent))
    if not people:
        return []
    in_order = select(cast(Customer.spend_minor, BigInteger)).where(*spent).order_by(Customer.spend_minor)
    places = [people * k // _VALUES for k in range(1, _VALUES)]
    found = session.execute(
        select(*(in_order.offset(place).limit(1).scalar_subquery() for place in places))
    ).one()
    return sorted({rounded for amount in found if (rounded := _rounded(amount, unit(currency))) > 0})


def _rounded(minor: int, major: int) -> int:
    """An amount with two digits that count, in whole units of the currency where it has any."""
    step = 10 ** max(len(str(minor)) - 2, 0)
    step = max(step, major) if minor >= major else step
    return round(minor / step) * step


def _band(under: list[ColumnElement], first: int = 0) -> ColumnElement:
    """The number of the first of rising limits that somebody is under; above the last, one more.

    Cut in halves, so that few of them are tested on each row.
    """
    if not under:
        return literal(first)
    middle = len(under) // 2
    lower, upper = _band(under[:middle], first), _band(under[middle + 1 :], first + middle + 1)
    return case((under[middle], lower), else_=upper)


def _age_names() -> list[str]:
    between = [f"{low}-{high - 1}" for low, high in pairwise(_AGES)]
    return [f"under {_AGES[0]}", *between, f"{_AGES[-1]}+"]


def _first_number(band: str) -> tuple[int, str]:
    digits = "".join(c if c.isdigit() else " " for c in band).split()
    return (0 if band.startswith("under") else int(digits[0]) if digits else 10**6, band)


def _score_names() -> dict[int, str]:
    ends = (0, *_SCORES, 101)
    names = [f"{low}–{high - 1}" for low, high in pairwise(ends)]
    return dict(enumerate(names))


def _ranges(limits: list[int], *, currency: str) -> list[str]:
    if not limits:
        return []
    shown = [_short(limit, currency) for limit in limits]
    between = [f"{low} – {high}" for low, high in pairwise(shown)]
    return [f"up to {shown[0]}", *between, f"over {shown[-1]}"]


def _short(minor: int, currency: str) -> str:
    major = minor / unit(currency)
    return f"{symbol(currency)}{major:,.0f}" if major == round(major) else f"{symbol(currency)}{major:,.2f}"


def _bands(found: pd.DataFrame, facet: str, names: list[str] | dict[int, str]) -> pd.DataFrame:
    """People and everybody by band, in the order of the names; what has no name is unknown."""
    named = names if isinstance(names, dict) else {name: name for name in names}
    by_band = found.groupby(pd.Series([named.get(value, UNKNOWN) for value in found[facet]], dtype=object))
    sums = by_band[["chosen", COUNT]].sum()
    order = [*named.values(), *([UNKNOWN] if UNKNOWN in sums.index else [])]
    sums = sums.reindex(order, fill_value=0)
    sums.columns = ["people", "everybody"]
    return sums.rename_axis("band").reset_index()


def _countries(found: pd.DataFrame) -> pd.DataFrame:
    """The commonest countries of the chosen, the others in one band."""
    bands = _bands(found, "country", sorted(found["country"].dropna().unique()))
    known = bands[bands["band"] != UNKNOWN]
    known = known.sort_values(["people", "everybody", "band"], ascending=[False, False, True])
    rest = known.iloc[MOST_COUNTRIES:]
    parts = [known.head(MOST_COUNTRIES), bands[bands["band"] == UNKNOWN]]
    if len(rest):
        others = {"band": [OTHER], "people": [rest["people"].sum()], "everybody": [rest["everybody"].sum()]}
        parts.insert(1, pd.DataFrame(others))
    return pd.concat(parts, ignore_index=True)
