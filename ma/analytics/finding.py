"""Reading one page of a long list, or counting it, without sorting a million customers.

Who asks for a list wants its first rows. There are three ways to them:
- everybody: the order's index is walked from the nearer end;
- a search that finds many: the index is walked too, leaving out whoever does not fit, and a full page is soon
  there; unless those who fit stand together at the far end, so the walk is short and then given up;
- a search that finds few: they are looked up in the index of words, and sorted.
How many a search finds is estimated from a few hundred customers.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, select, true
from sqlalchemy.orm import Session
from sqlalchemy.sql.util import ClauseAdapter

from ma.analytics.customer_columns import Order
from ma.analytics.search import Search, filters, present, terms
from ma.db.search import Either, Every, Term, customers_having, holds, scanned
from ma.models import Customer

# How many are counted exactly when only a page is wanted.
MOST = 10_000
# Below this many customers nothing is worth an estimate.
SMALL = 20_000
_SAMPLE = 400
# The share of customers up to which a word is rare: all who have it can be sorted.
_RARE = 0.01
# The share from which the first few are counted quicker by reading customers as they come.
_COMMON = 0.1
# The longest walk, in customers. Beyond it, sorting is quicker.
_LONGEST_WALK = 30_000


@dataclass(frozen=True)
class Plan:
    """How to find somebody.

    `looked_up`: the words with which the index is entered, those that the fewest have. `beside`: what else is
    tested on the rows then; `all`: what is tested without the index. `share`: the estimated share of
    customers who are found; `walk`: whether no word is rare.
    """

    looked_up: Every
    beside: tuple[ColumnElement, ...]
    all: tuple[ColumnElement, ...]
    share: float
    walk: bool

    @property
    def is_everybody(self) -> bool:
        """Whether nothing narrows the list."""
        return not self.all

    def narrow(self, rows: Select) -> Select:
        """A select of customers, narrowed to those who are found."""
        # Everybody is counted in an index, a part of them not.
        there = Customer.deleted_at.is_(None) if self.is_everybody else present()
        if self.looked_up.terms:
            return rows.select_from(customers_having(self.looked_up)).where(there, *self.beside)
        return rows.where(there, *self.all)


def plan(session: Session, search: Search, *, as_of: datetime) -> Plan:
    """The quickest way to whom a search finds. Raises InvalidRule, InvalidInput."""
    words = terms(search.q)
    conditions = tuple(filters(session, search, as_of=as_of))
    tested = (*([scanned(words)] if words.terms else []), *conditions)
    highest = session.scalar(select(func.max(Customer.id))) or 0
    if highest <= SMALL or not tested:
        return Plan(words, conditions, tested, share=0, walk=False)
    sample = _sample(session, highest, conditions)
    shares = {term: _share(sample, term) for term in words.terms}
    rare = [term for term in words.terms if shares[term] <= _RARE]
    chosen = rare or sorted(words.terms, key=shares.get)[:1]
    looser = {term: _looser(term) for term in chosen}
    looser = {term: loose for term, loose in looser.items() if _share(sample, loose) <= _RARE}
    looked_up = Every(tuple(looser.get(term, term) for term in chosen))
    # What the index was asked exactly need not be tested again.
    exact = {term for term in chosen if looser.get(term, term) == term}
    rest = Every(tuple(term for term in words.terms if term not in exact))
    beside = (*([scanned(rest)] if rest.terms else []), *conditions)
    return Plan(looked_up, beside, tested, _share(sample, words, filtered=True), walk=not rare)


def _looser(term: Term) -> Term:
    """Of words that must all be found, only the longest: the others may be those of half the customers."""
    match term:
        case Every(inner):
            return max(map(_looser, inner), key=_length)
        case Either(inner):
            return Either(tuple(dict.fromkeys(map(_looser, inner))))
        case _:
            return term


def _length(term: Term) -> int:
    return len(term) if isinstance(term, str) else min(map(_length, term.terms))


def _sample(session: Session, highest: int, conditions: tuple[ColumnElement, ...]) -> list[tuple[str, bool]]:
    """(words, whether the filters hold) of customers spread evenly over all."""
    step = highest / _SAMPLE
    ids = sorted({int(step * (i + 0.5)) for i in range(_SAMPLE)})
    fits = and_(true(), *conditions)
    rows = select(Customer.search_text, fits).where(Customer.id.in_(ids), present())
    return [(text, bool(fit)) for text, fit in session.execute(rows)]


def _share(sample: list[tuple[str, bool]], words: Term, *, filtered: bool = False) -> float:
    """Their share of the sample; never quite none, for nobody knows."""
    hits = sum(holds(words, text) and (fit or not filtered) for text, fit in sample)
    return max(hits, 0.5) / max(len(sample), 1)


def count(session: Session, plan: Plan, *, most: int | None) -> int:
    """How many are found; where that is more than `most`, some number above it."""
    ids, limit = select(Customer.id), None if plan.is_everybody or most is None else most + 1
    few_steps = limit is not None and plan.share > _COMMON
    rows = ids.where(present(), *plan.all) if few_steps else plan.narrow(ids)
    return session.scalar(select(func.count()).select_from(rows.limit(limit).subquery()))


def page(
    session: Session, plan: Plan, order: Order, *, limit: int, offset: int, total: int | None = None
) -> list[int]:
    """The ids of one page in order. With the exact `total`, late pages are read from the end."""
    if total is not None and offset > total // 2:
        left = min(limit, total - offset)
        return _page(session, plan, order.reversed(), left, total - offset - left)[::-1] if left > 0 else []
    return _page(session, plan, order, limit, offset)


def _page(session: Session, plan: Plan, order: Order, limit: int, offset: int) -> list[int]:
    if plan.is_everybody and order.walked:
        return _walk(session, order, limit, offset)
    if plan.walk and order.walked:
        length = 4 * (offset + limit) / plan.share
        if length <= _LONGEST_WALK:
            ids = _walk_over(session, plan, order, limit, offset, int(length) + 100)
            if len(ids) == limit:
                return ids
    return _sorted(session, plan, order, limit, offset)


def _walk(session: Session, order: Order, limit: int, offset: int) -> list[int]:
    """The ids from one place of an index on, phase after phase."""
    ids: list[int] = []
    for phase in order.phases():
        there = select(Customer.id).where(Customer.deleted_at.is_(None), *phase)
        rows = there.order_by(*order.natural()).limit(limit - len(ids)).offset(offset)
        part = session.scalars(rows).all()
        ids += part
        if part:
            offset = 0
        elif offset:
            offset -= session.scalar(select(func.count()).select_from(there.subquery()))
        if len(ids) >= limit:
            break
    return ids


def _walk_over(session: Session, plan: Plan, order: Order, limit: int, offset: int, length: int) -> list[int]:
    """The ids of the page, if it lies within the first so many customers of the order's first phase."""
    first = select(Customer.__table__).where(Customer.deleted_at.is_(None), *order.phases()[0])
    walked = first.order_by(*order.natural()).limit(length).subquery("walked")
    adapt = ClauseAdapter(walked).traverse
    rows = select(walked.c.id).where(*map(adapt, plan.all))
    return session.scalars(rows.order_by(*map(adapt, order.natural())).limit(limit).offset(offset)).all()


def _sorted(session: Session, plan: Plan, order: Order, limit: int, offset: int) -> list[int]:
    """The ids of the page, from all that are found."""
    if (plan.walk or plan.is_everybody) and not order.walked:
        rows = everything(plan, order, select(Customer.id))
        return session.scalars(rows.limit(limit).offset(offset)).all()
    # Kept apart, or the planner may walk an index of the order and meet nobody for a million customers.
    hits = plan.narrow(select(Customer.id, *order.columns)).cte("hits").prefix_with("MATERIALIZED")
    keys = map(ClauseAdapter(hits).traverse, order.keys())
    return session.scalars(select(hits.c.id).order_by(*keys).limit(limit).offset(offset)).all()


def everything(plan: Plan, order: Order, rows: Select) -> Select:
    """A select of customers, narrowed to all that are found, in order."""
    return plan.narrow(rows).order_by(*order.keys())
