"""Segments: built, looked at before they are saved, refreshed, and the people in them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from ma.analytics import segments as analytics
from ma.analytics.catalogue import catalogue
from ma.analytics.missing_data import Undecided
from ma.analytics.workspace import workspace
from ma.api import tables
from ma.api.answers import sent
from ma.api.asking import SECURITY, Ask, Asking
from ma.api.paging import Page, cursor, next_url, position
from ma.api.routing import Guarded, Long
from ma.api.values import Body, Id
from ma.api.versions import IfMatch, document, expected_version
from ma.errors import InvalidInput, InvalidRule
from ma.services import segments as services
from ma.services.idempotency import Answer
from ma.services.permissions import require
from ma.services.segment_refreshing import note_failure, why
from ma.types import Permission

router = APIRouter(prefix="/segments", tags=["segments"], route_class=Guarded, dependencies=SECURITY)
long_router = APIRouter(prefix="/segments", tags=["segments"], route_class=Long, dependencies=SECURITY)
_SAMPLE = 10
Rule = Annotated[dict[str, Any], Field(description="A rule as docs/rules.md says, in JSON.")]


class NewSegment(Body):
    """A segment to be saved: by a rule, or a list that is kept by hand (`static`, without a rule)."""

    name: str
    description: str = ""
    rule: Rule | None = None
    static: bool = False


class SegmentChange(Body):
    """What is to change; what is left out stays."""

    name: str = ""
    description: str = ""
    rule: Rule = {}


class Preview(Body):
    """A rule to be looked at."""

    rule: Rule


class Segment(BaseModel):
    """One segment. `size` is that of the last refresh; `english` says the rule in words."""

    segment_id: int
    version: int
    name: str
    description: str
    static: bool
    rule: dict | None
    english: str
    size: int | None
    refreshed_at: str | None
    stale: bool
    refresh_error: str | None
    created_by: str
    created_at: str
    updated_at: str


class Created(BaseModel):
    """What was added. Read it at the address in the header Location."""

    segment_id: int
    version: int


class Lacking(BaseModel):
    """A fact that is unknown of so many people, which decides whether the rule chooses them."""

    fact: str
    people: int


class Previewed(BaseModel):
    """Whom a rule chooses out of everybody.

    `unsure` are left out although they might belong, since facts are `unknown`. `in_anyway` are in although
    they might not belong, since the facts of `unknown_of_those_in` are.
    """

    people: int
    everybody: int
    unsure: int
    unknown: list[Lacking]
    in_anyway: int
    unknown_of_those_in: list[Lacking]
    english: str
    sample: list[dict]


class Refreshed(BaseModel):
    """What a refresh found: the size, and how many entered and left since the one before."""

    segment_id: int
    size: int
    entered: int
    left: int
    duration_ms: int


@router.get("", responses=tables.RESPONSES)
def list_segments(request: Request, ask: Asking, asked: Annotated[Page, Query()]) -> Response:
    """All segments with their rule in English and their size at the last refresh."""
    wanted = tables.asked_format(request, ask)
    after = position(asked, [int])
    with ask.reading() as session:
        rows = analytics.segment_rows(session, as_of=ask.at, after=after and after[0], limit=asked.limit + 1)
        page = rows[: asked.limit]
        found = page
        if wanted.is_file:
            found = tables.of_page(analytics.segments(session, as_of=ask.at), page, "segment_id")
    last = page[-1]["segment_id"] if len(rows) > len(page) else None
    following = next_url(request, cursor([last], asked) if last else None)
    return tables.shown(ask, wanted, found, name="segments", params={}, following=following)


@router.post("", status_code=201, response_model=Created)
def add_segment(ask: Asking, given: NewSegment) -> Response:
    """Save a segment. It has no members before it is refreshed."""
    if given.static == (given.rule is not None):
        words = (
            "A list kept by hand has no rule. Leave it out." if given.static else "Give the segment a rule."
        )
        raise InvalidInput({"rule": words})
    with ask.writing() as session:
        named = {"name": given.name, "description": given.description, "at": ask.at}
        if given.static:
            segment_id = services.create_static_segment(session, ask.actor, **named)
        else:
            segment_id = services.create_segment(session, ask.actor, rule=given.rule, **named)
        content = {"segment_id": segment_id, "version": 1}
        headers = {"Location": f"/api/segments/{segment_id}", "ETag": '"1"'}
        return ask.answer(session, content, status=201, headers=headers)


@long_router.post("/preview", response_model=Previewed)
def preview(ask: Asking, given: Preview) -> Response:
    """Whom a rule would choose now, before it is saved: how many, and some of them. It changes nothing."""
    require(ask.actor, Permission.READ)
    with ask.reading() as session:
        found = analytics.audience(session, given.rule, as_of=ask.at)
        some = analytics.sample(session, given.rule, as_of=ask.at, size=_SAMPLE)
        english = _english(session, given.rule)
    told = {
        "people": found.people,
        "everybody": found.everybody,
        "unsure": found.undecided.left_out,
        "unknown": _lacking(found.undecided, "left_out"),
        "in_anyway": found.undecided.in_anyway,
        "unknown_of_those_in": _lacking(found.undecided, "in_anyway"),
        "english": english,
        "sample": tables.records(some),
    }
    return sent(Answer(200, told))


def _lacking(undecided: Undecided, way: str) -> list[dict]:
    return [{"fact": fact, "people": people} for fact, people in undecided.facts(way)]


@router.get("/{segment_id:id}", response_model=Segment)
def read_segment(request: Request, ask: Asking, segment_id: Id) -> Response:
    """One segment with its rule."""
    require(ask.actor, Permission.READ)
    return _document(request, ask, segment_id)


@router.patch("/{segment_id:id}", response_model=Segment)
def change_segment(
    request: Request, ask: Asking, segment_id: Id, given: SegmentChange, if_match: IfMatch = None
) -> Response:
    """Change what is given. Members stay until the next refresh."""
    with ask.writing() as session:
        version = expected_version(if_match, analytics.segment(session, segment_id).version)
        values = {name: getattr(given, name) for name in given.model_fields_set}
        services.update_segment(session, ask.actor, segment_id, version=version, at=ask.at, **values)
    return _document(request, ask, segment_id)


@router.delete("/{segment_id:id}", status_code=204)
def remove_segment(ask: Asking, segment_id: Id, if_match: IfMatch = None) -> Response:
    """Delete a segment that no campaign and no other segment uses; the customers stay."""
    with ask.writing() as session:
        version = expected_version(if_match, analytics.segment(session, segment_id).version)
        services.delete_segment(session, ask.actor, segment_id, version=version, at=ask.at)
    return Response(status_code=204)


@long_router.post("/{segment_id:id}/refresh", response_model=Refreshed)
def refresh(ask: Asking, segment_id: Id) -> Response:
    """Bring the members in line with the rule as of now. Why it failed is kept with the segment."""
    try:
        with ask.writing() as session:
            found = services.refresh_segment(session, ask.actor, segment_id, at=ask.at)
            return ask.answer(session, {name: getattr(found, name) for name in Refreshed.model_fields})
    except InvalidRule as error:
        with ask.database.writing() as session:
            note_failure(session, segment_id, why(error))
        raise


@router.get("/{segment_id:id}/members", responses=tables.RESPONSES)
def list_members(request: Request, ask: Asking, segment_id: Id, asked: Annotated[Page, Query()]) -> Response:
    """Everybody who was in a segment at its last refresh, by id."""
    wanted = tables.asked_format(request, ask)
    after = position(asked, [int]) or [0]
    with ask.reading() as session:
        frame = analytics.members(
            session, as_of=ask.at, segment_id=segment_id, after=after[0] or 0, limit=asked.limit + 1
        )
    page = frame.head(asked.limit)
    last = int(page["customer_id"].iloc[-1]) if len(frame) > len(page) else None
    following = next_url(request, cursor([last], asked) if last else None)
    params = {"segment_id": str(segment_id)}
    return tables.shown(ask, wanted, page, name="segment_members", params=params, following=following)


def _document(request: Request, ask: Ask, segment_id: int) -> Response:
    with ask.reading() as session:
        info = analytics.segment(session, segment_id)
        content = {name: getattr(info, name) for name in Segment.model_fields if name != "english"}
        content["english"] = _english(session, info.rule)
    return document(request, content, info.version)


def _english(session, rule: dict | None) -> str:
    currency, known = workspace(session).currency, catalogue(session)
    return analytics.sentence(rule, currency=currency, catalogue=known)
