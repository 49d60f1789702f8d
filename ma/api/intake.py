"""What other systems send in: what people did with campaigns, and what they did on the web. In batches.

A batch may come twice: a step is taken once, an event has its key, and an Idempotency-Key gives the first
answer again.
"""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from ma.analytics.workspace import workspace
from ma.api.asking import SECURITY, Ask, Asking
from ma.api.routing import Intake
from ma.api.values import Body, Moment
from ma.money import digits
from ma.services.campaign_fields import DEFAULTS
from ma.services.import_campaigns import LONGEST_WINDOW_DAYS
from ma.services.import_outcome_rows import HELD_OUT, STEPS
from ma.services.import_people import KEYS
from ma.services.imports import Options
from ma.services.intake import MOST_PROBLEMS, MOST_ROWS, SOURCE, Taken, take_in
from ma.types import Channel

router = APIRouter(tags=["intake"], route_class=Intake, dependencies=SECURITY)
_MOST_MINOR = 10**12
ChannelName = Literal[tuple(channel.value for channel in Channel)]


class Person(Body):
    """Who it was: by external id, e-mail address or phone number."""

    external_id: str | None = None
    email: str | None = None
    phone: str | None = None


class OutcomeRow(Person):
    """One step that one person took with one campaign."""

    campaign: Annotated[
        str | None, Field(description="The campaign's name, where it is not that of all.")
    ] = None
    step: Literal[(*STEPS, HELD_OUT)]
    at: Moment
    revenue_minor: Annotated[int | None, Field(ge=0, le=_MOST_MINOR, description="Of a conversion.")] = None
    variant: Annotated[str | None, Field(description="A to H.")] = None


class Outcomes(Body):
    """Steps that people took. A campaign that is not here yet is added, with `channel`."""

    campaign: Annotated[str | None, Field(description="The campaign's name, of rows that say none.")] = None
    channel: ChannelName | None = None
    window_days: Annotated[int, Field(ge=1, le=LONGEST_WINDOW_DAYS)] = DEFAULTS["conversion_window_days"]
    create_missing: Annotated[bool, Field(description="Whether unknown people become customers.")] = False
    rows: Annotated[list[OutcomeRow], Field(min_length=1, max_length=MOST_ROWS)]


class EventRow(Person):
    """One thing that one person did; `event_key` is the sender's own number of it."""

    event_key: Annotated[str, Field(min_length=1, max_length=100)]
    at: Moment
    kind: Annotated[str, Field(description="visit, or a kind of one's own.")] = "visit"
    page: str | None = None
    device: str | None = None


class Events(Body):
    """What people did. An event whose key came in before changes nothing."""

    create_missing: Annotated[bool, Field(description="Whether unknown people become customers.")] = False
    rows: Annotated[list[EventRow], Field(min_length=1, max_length=MOST_ROWS)]


class Problem(BaseModel):
    """Why a row did not come in; the first row is 1."""

    row: int
    field: str
    problem: str


class TakenIn(BaseModel):
    """What came of a batch, in rows. `import_id` can be undone under Import and export."""

    import_id: int | None
    received: int
    new: int
    changed: int
    unchanged: int
    rejected: int
    problems: Annotated[list[Problem], Field(description=f"At most {MOST_PROBLEMS}.")]
    notes: list[str]


@router.post("/outcomes", status_code=202, response_model=TakenIn)
def outcomes(ask: Asking, given: Outcomes) -> Response:
    """Take in what people really did with campaigns: rows that are right come in, the others are told."""
    with ask.reading() as session:
        decimals = digits(workspace(session).currency)
    rows = [_outcome(row, decimals) for row in given.rows]
    options = Options(
        date_format="ymd",
        decimal=".",
        create_missing=given.create_missing,
        source=SOURCE,
        campaign=given.campaign,
        channel=given.channel,
        window_days=given.window_days,
    )
    key = next((key for key in KEYS if any(row[key] for row in rows)), KEYS[0])
    return _take_in(ask, "outcomes", rows, key, options)


@router.post("/events", status_code=202, response_model=TakenIn)
def events(ask: Asking, given: Events) -> Response:
    """Take in what people did, such as web visits: rows that are right come in, the others are told."""
    rows = [row.model_dump() | {"at": row.at.isoformat(sep=" ")} for row in given.rows]
    options = Options(date_format="ymd", create_missing=given.create_missing, source=SOURCE)
    return _take_in(ask, "events", rows, "event_key", options)


def _take_in(ask: Ask, kind: str, rows: list[dict], key: str, options: Options) -> Response:
    def answer(session, taken: Taken) -> Response:
        return ask.answer(session, {name: getattr(taken, name) for name in TakenIn.model_fields}, status=202)

    return take_in(
        ask.reading, ask.writing, ask.actor, kind, rows, key=key, options=options, at=ask.at, answer=answer
    )


def _outcome(row: OutcomeRow, decimals: int) -> dict:
    values = row.model_dump(exclude={"revenue_minor"})
    revenue = None
    if row.revenue_minor is not None:
        whole, part = divmod(row.revenue_minor, 10**decimals)
        revenue = f"{whole}.{part:0{decimals}d}" if decimals else str(whole)
    return values | {"at": row.at.isoformat(sep=" "), "revenue": revenue}
