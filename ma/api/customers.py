"""Customers: found, read, added, changed and deleted."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field, create_model
from starlette.responses import Response

from ma.analytics import customer_pages
from ma.analytics.customer_pages import Place, customers_after
from ma.analytics.customer_record import FIELDS, customer_record
from ma.analytics.customers import Search, customer_count, listed, listed_rows
from ma.api import tables
from ma.api.answers import sent
from ma.api.asking import SECURITY, Ask, Asking
from ma.api.paging import Page, cursor, next_url, position
from ma.api.routing import Guarded, Long
from ma.api.values import Asked, Body, CustomerId, Day
from ma.api.versions import IfMatch, document, expected_version
from ma.services import customer_fields as fields
from ma.services.customers import create_customer, delete_customer, update_customer
from ma.services.idempotency import Answer
from ma.services.permissions import require
from ma.types import Permission

router = APIRouter(prefix="/customers", tags=["customers"], route_class=Guarded, dependencies=SECURITY)
long_router = APIRouter(prefix="/customers", tags=["customers"], route_class=Long, dependencies=SECURITY)
_LONGEST_RULE = 20_000


def _field(name: str):
    if name in fields.FLAGS:
        return bool, Field(None, description="Whether they agreed to be contacted so.")
    if name in fields.DATES:
        return Day | None, Field(None, description=f"The {fields.DATES[name]}; null where it is unknown.")
    label, longest = fields.TEXTS[name]
    # Told, not checked here: the service says the remedy.
    return str | None, Field(
        None, description=f"The {label}; null where it is unknown.", json_schema_extra={"maxLength": longest}
    )


CustomerFields = create_model(
    "CustomerFields",
    __base__=Body,
    __doc__="The fields of a customer; those left out are unknown, in a change they stay as they are.",
    **{name: _field(name) for name in fields.ALL},
)
Customer = create_model(
    "Customer",
    __doc__="One customer. `figures` are derived from facts at `profiled_at`; money is in minor units.",
    customer_id=(int, ...),
    version=(int, ...),
    **{
        name: (bool if name in fields.FLAGS else date | None if name in fields.DATES else str | None, ...)
        for name in FIELDS
    },
    created_at=(str, ...),
    updated_at=(str, ...),
    figures=(dict, ...),
)


class Created(Body):
    """What was added. Read it at the address in the header Location."""

    customer_id: int
    version: int


class Filters(Asked):
    """What a list of customers is narrowed to."""

    q: Annotated[str, Field(max_length=200, description="Words in any order, each the beginning of one.")] = (
        ""
    )
    rule: Annotated[
        str, Field(max_length=_LONGEST_RULE, description="A rule of the segments' language, in JSON.")
    ] = ""
    consent: Annotated[
        str, Field(max_length=100, description="Channels that all must be allowed: email,sms.")
    ] = ""
    tag: Annotated[str, Field(max_length=100, description="A tag's name.")] = ""

    def search(self) -> Search:
        """The same for analytics."""
        consent = tuple(name for name in self.consent.split(",") if name)
        return Search(self.q, self.rule or None, consent, self.tag)


class Listed(Filters, Page):
    """A page of a list of customers."""

    sort: Literal[tuple(customer_pages.SORTS)] = "id"
    descending: bool = False
    columns: Annotated[str, Field(max_length=1_000, description="Columns with commas between.")] = ""


class Counted(Body):
    """How many customers there are; at least so many where it is not `exact`."""

    people: int
    exact: bool


@router.get("", responses=tables.RESPONSES)
def list_customers(request: Request, ask: Asking, asked: Annotated[Listed, Query()]) -> Response:
    """Customers, a page at a time: everybody, or those whom a search finds."""
    wanted = tables.asked_format(request, ask)
    after = _place(position(asked, [customer_pages.SORTS[asked.sort][1], int]))
    with ask.reading() as session:
        part = customers_after(
            session,
            asked.search(),
            as_of=ask.at,
            sort=asked.sort,
            descending=asked.descending,
            after=after,
            limit=asked.limit,
        )
        found = (listed if wanted.is_file else listed_rows)(session, part.ids, asked.columns)
    last = part.last and cursor([part.last.value, part.last.customer_id], asked)
    following = next_url(request, last)
    return tables.shown(ask, wanted, found, name="customers", params=asked.texts(), following=following)


@long_router.get("/count", response_model=Counted)
def count_customers(ask: Asking, asked: Annotated[Filters, Query()]) -> Response:
    """How many customers a search finds: everybody exactly, others up to 10,000."""
    require(ask.actor, Permission.READ)
    with ask.reading() as session:
        found = customer_count(session, asked.search(), as_of=ask.at)
    return sent(Answer(200, {"people": found.people, "exact": found.exact}))


@router.post("", status_code=201, response_model=Created)
def add_customer(ask: Asking, given: CustomerFields) -> Response:
    """Add a customer. At least a name, an e-mail address or an external id is needed."""
    with ask.writing() as session:
        customer_id = create_customer(session, ask.actor, at=ask.at, **_given(given))
        content = {"customer_id": customer_id, "version": 1}
        headers = {"Location": f"/api/customers/{customer_id}", "ETag": '"1"'}
        return ask.answer(session, content, status=201, headers=headers)


@router.get("/{customer_id:id}", response_model=Customer)
def read_customer(request: Request, ask: Asking, customer_id: CustomerId) -> Response:
    """One customer: the fields that can be edited, and figures derived from facts."""
    require(ask.actor, Permission.READ)
    with ask.reading() as session:
        record = customer_record(session, customer_id)
    return document(request, record, record["version"])


@router.patch("/{customer_id:id}", response_model=Customer)
def change_customer(
    request: Request, ask: Asking, customer_id: CustomerId, given: CustomerFields, if_match: IfMatch = None
) -> Response:
    """Change the fields that are given; null makes one unknown."""
    with ask.writing() as session:
        current = customer_record(session, customer_id)["version"]
        version = expected_version(if_match, current)
        update_customer(session, ask.actor, customer_id, version=version, at=ask.at, **_given(given))
        record = customer_record(session, customer_id)
    return document(request, record, record["version"])


@router.delete("/{customer_id:id}", status_code=204)
def remove_customer(ask: Asking, customer_id: CustomerId, if_match: IfMatch = None) -> Response:
    """Hide a customer from every list and audience; sums stay. Erasing is done on the screens."""
    with ask.writing() as session:
        version = expected_version(if_match, customer_record(session, customer_id)["version"])
        delete_customer(session, ask.actor, customer_id, version=version, at=ask.at)
    return Response(status_code=204)


@router.get("/{customer_id:id}/purchases", responses=tables.RESPONSES)
def read_purchases(request: Request, ask: Asking, customer_id: CustomerId) -> Response:
    """What one customer bought, the latest first."""
    return _of_one(request, ask, "customer_purchases", customer_id)


@router.get("/{customer_id:id}/timeline", responses=tables.RESPONSES)
def read_timeline(request: Request, ask: Asking, customer_id: CustomerId) -> Response:
    """What one customer bought, did and was sent, the latest first."""
    return _of_one(request, ask, "timeline", customer_id)


def _of_one(request: Request, ask: Ask, name: str, customer_id: int) -> Response:
    require(ask.actor, Permission.READ)
    with ask.reading() as session:
        customer_record(session, customer_id)
    return tables.table(request, ask, name, {"customer_id": str(customer_id)})


def _given(given: Body) -> dict:
    return {name: getattr(given, name) for name in given.model_fields_set}


def _place(values: Sequence | None) -> Place | None:
    return None if values is None or values[1] is None else Place(*values)
