"""Campaigns: drafted, forecast, launched, paused, resumed, completed."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from ma.analytics.campaigns import campaign as read
from ma.analytics.campaigns import campaigns, campaigns_before
from ma.api import tables
from ma.api.asking import SECURITY, Ask, Asking
from ma.api.paging import Page, cursor, next_url, position
from ma.api.routing import Guarded, Long
from ma.api.values import AnId, Body, Id, Moment
from ma.api.versions import IfMatch, document, expected_version
from ma.errors import InvalidInput
from ma.services import campaigns as services
from ma.services.campaign_fields import DEFAULTS, MOST_EXCLUDED
from ma.services.forecasts import quantiles
from ma.services.launches import launch_campaign
from ma.services.permissions import require
from ma.types import CampaignStatus, Channel, Permission

router = APIRouter(prefix="/campaigns", tags=["campaigns"], route_class=Guarded, dependencies=SECURITY)
long_router = APIRouter(prefix="/campaigns", tags=["campaigns"], route_class=Long, dependencies=SECURITY)
_SHOWN = (
    "objective", "channel", "status", "source", "segment_id", "segment", "excluded", "subject", "body",
    "effects", "variants", "timezone", "quiet_from", "quiet_until", "cost_per_thousand_minor",
    "fixed_cost_minor", "budget_minor", "conversion_window_days", "holdout_share", "waves", "waves_sent",
    "next_wave_at", "scheduled_at", "launched_at", "completed_at", "archived_at", "eligibility",
    "created_by", "created_at", "updated_at",
)  # fmt: skip
Money = Annotated[int | None, Field(description="In minor units; null where it is unknown.")]
Minute = Annotated[int | None, Field(description="Minutes after midnight in the campaign's time zone.")]
Effects = Annotated[
    dict[str, float], Field(description="Assumed relative changes by step: 0.1 is a tenth more.")
]
ChannelName = Literal[tuple(channel.value for channel in Channel)]
StatusName = Literal[tuple(status.value for status in CampaignStatus)]


class Variant(Body):
    """A further message, tried against the campaign's own: its share of the people (0-1)."""

    name: Annotated[str, Field(description="Given by us: B, C, ….")] = ""
    share: float
    subject: str = ""
    body: str
    effects: Effects = {}


class CampaignFields(Body):
    """What is decided in a draft. Left out, a field has its usual value; in a change, it stays as it is."""

    name: str = ""
    objective: str = ""
    channel: ChannelName = Channel.EMAIL.value
    segment_id: AnId | None = None
    excluded: Annotated[list[AnId], Field(description=f"Segments left out, at most {MOST_EXCLUDED}.")] = []
    subject: str = ""
    body: Annotated[
        str, Field(description='The message; {{ first_name | default: "there" }} is filled in.')
    ] = ""
    effects: Effects = {}
    variants: list[Variant] = []
    timezone: str | None = None
    quiet_from: Minute = None
    quiet_until: Minute = None
    cost_per_thousand_minor: Money = None
    fixed_cost_minor: Money = None
    budget_minor: Money = None
    conversion_window_days: int = DEFAULTS["conversion_window_days"]
    holdout_share: Annotated[float, Field(description="The share held out for comparison (0-0.5).")] = 0.0
    waves: int = 1


class Campaign(BaseModel):
    """One campaign. Money is in minor units, null is unknown; `eligibility` is the way to who was sent it."""

    campaign_id: int
    version: int
    name: str
    objective: str
    channel: ChannelName
    status: StatusName
    source: str
    segment_id: int | None
    segment: str | None
    excluded: list[int]
    subject: str
    body: str
    effects: dict
    variants: list[dict]
    timezone: str | None
    quiet_from: int | None
    quiet_until: int | None
    cost_per_thousand_minor: int | None
    fixed_cost_minor: int | None
    budget_minor: int | None
    conversion_window_days: int
    holdout_share: float
    waves: int
    waves_sent: int
    next_wave_at: datetime | None
    scheduled_at: datetime | None
    launched_at: datetime | None
    completed_at: datetime | None
    archived_at: datetime | None
    eligibility: list[dict] | None
    steps: list[str]
    created_by: str
    created_at: datetime
    updated_at: datetime


class Created(BaseModel):
    """What was added. Read it at the address in the header Location."""

    campaign_id: int
    version: int


class Launched(BaseModel):
    """What a launch did: people sent the first wave, held out, and planned for later waves."""

    campaign_id: int
    status: StatusName
    sent: int
    holdout: int
    planned: int
    eligibility: list[dict]


class Moved(BaseModel):
    """Where a campaign is in its life now."""

    campaign_id: int
    status: StatusName
    version: int


class Schedule(Body):
    """When a draft is to be launched by itself."""

    scheduled_at: Moment


class Listed(Page):
    """A page of the list of campaigns."""

    status: StatusName | None = None
    channel: ChannelName | None = None
    archived: bool | None = None


@router.get("", responses=tables.RESPONSES)
def list_campaigns(request: Request, ask: Asking, asked: Annotated[Listed, Query()]) -> Response:
    """Campaigns, the latest added first."""
    wanted = tables.asked_format(request, ask)
    before = position(asked, [int])
    filters = {"status": asked.status or "", "channel": asked.channel or "", "archived": asked.archived}
    with ask.reading() as session:
        rows = campaigns_before(
            session, as_of=ask.at, **filters, before=before and before[0], limit=asked.limit + 1
        )
        page = rows[: asked.limit]
        found = page
        if wanted.is_file:
            found = tables.of_page(campaigns(session, as_of=ask.at, **filters), page, "campaign_id")
    last = page[-1]["campaign_id"] if len(rows) > len(page) else None
    following = next_url(request, cursor([last], asked) if last else None)
    params = {name: str(value) for name, value in filters.items() if value not in ("", None)}
    return tables.shown(ask, wanted, found, name="campaigns", params=params, following=following)


@router.post("", status_code=201, response_model=Created)
def add_campaign(ask: Asking, given: CampaignFields) -> Response:
    """Save a new draft."""
    with ask.writing() as session:
        campaign_id = services.create_campaign(session, ask.actor, at=ask.at, **_values(given))
        headers = {"Location": f"/api/campaigns/{campaign_id}", "ETag": '"1"'}
        return ask.answer(session, {"campaign_id": campaign_id, "version": 1}, status=201, headers=headers)


@router.get("/{campaign_id:id}", response_model=Campaign)
def read_campaign(request: Request, ask: Asking, campaign_id: Id) -> Response:
    """One campaign."""
    require(ask.actor, Permission.READ)
    return _document(request, ask, campaign_id)


@router.patch("/{campaign_id:id}", response_model=Campaign)
def change_campaign(
    request: Request, ask: Asking, campaign_id: Id, given: CampaignFields, if_match: IfMatch = None
) -> Response:
    """Change the fields that are given, of a draft."""
    with ask.writing() as session:
        version = expected_version(if_match, services.stored(session, campaign_id)["version"])
        values = _values(given)
        services.update_campaign(session, ask.actor, campaign_id, version=version, at=ask.at, **values)
    return _document(request, ask, campaign_id)


@router.delete("/{campaign_id:id}", status_code=204)
def remove_campaign(ask: Asking, campaign_id: Id, if_match: IfMatch = None) -> Response:
    """Put a draft or an ended campaign into the archive; its figures stay, and the screens can restore it."""
    with ask.writing() as session:
        expected_version(if_match, services.stored(session, campaign_id)["version"])
        services.archive_campaign(session, ask.actor, campaign_id, at=ask.at)
    return Response(status_code=204)


@long_router.get("/{campaign_id:id}/forecast", responses=tables.RESPONSES)
def forecast(request: Request, ask: Asking, campaign_id: Id) -> Response:
    """What a draft would bring if it were launched now: quantiles by variant ("" is all of it) and figure."""
    wanted = tables.asked_format(request, ask)
    with ask.reading() as session:
        frame = quantiles(session, campaign_id=campaign_id, as_of=ask.at)
    return tables.shown(ask, wanted, frame, name="forecast", params={"campaign_id": str(campaign_id)})


@long_router.post("/{campaign_id:id}/launch", response_model=Launched)
def launch(ask: Asking, campaign_id: Id) -> Response:
    """Send a draft or scheduled campaign to its segment now; completely or not at all, and once."""
    with ask.writing() as session:
        done = launch_campaign(session, ask.actor, campaign_id, at=ask.at)
        content = {name: getattr(done, name) for name in Launched.model_fields if name != "status"}
        return ask.answer(session, content | {"status": CampaignStatus.RUNNING})


@router.post("/{campaign_id:id}/pause", response_model=Moved)
def pause(ask: Asking, campaign_id: Id) -> Response:
    """Hold back the waves to come of a running campaign."""
    return _moved(ask, campaign_id, services.pause_campaign)


@router.post("/{campaign_id:id}/resume", response_model=Moved)
def resume(ask: Asking, campaign_id: Id) -> Response:
    """Go on after a pause."""
    return _moved(ask, campaign_id, services.resume_campaign)


@router.post("/{campaign_id:id}/complete", response_model=Moved)
def complete(ask: Asking, campaign_id: Id) -> Response:
    """Close a running or paused campaign: waves to come are dropped, what was sent stays."""
    return _moved(ask, campaign_id, services.complete_campaign)


@router.post("/{campaign_id:id}/cancel", response_model=Moved)
def cancel(ask: Asking, campaign_id: Id) -> Response:
    """Call a campaign off: waves to come are dropped, what was sent stays."""
    return _moved(ask, campaign_id, services.cancel_campaign)


@router.post("/{campaign_id:id}/schedule", response_model=Moved)
def schedule(ask: Asking, campaign_id: Id, given: Schedule) -> Response:
    """Let a draft be launched by itself at a later time, at most a year from now."""
    return _moved(ask, campaign_id, services.schedule_campaign, scheduled_at=given.scheduled_at)


@router.post("/{campaign_id:id}/unschedule", response_model=Moved)
def unschedule(ask: Asking, campaign_id: Id) -> Response:
    """Take a scheduled campaign back to draft."""
    return _moved(ask, campaign_id, services.unschedule_campaign)


def _moved(ask: Ask, campaign_id: int, move, **more) -> Response:
    with ask.writing() as session:
        move(session, ask.actor, campaign_id, at=ask.at, **more)
        session.flush()
        row = services.stored(session, campaign_id)
        content = {"campaign_id": campaign_id, "status": row["status"], "version": row["version"]}
        return ask.answer(session, content)


def _document(request: Request, ask: Ask, campaign_id: int) -> Response:
    with ask.reading() as session:
        row = read(session, campaign_id)
    content = {"campaign_id": row["id"], "version": row["version"], "name": row["name"]}
    content |= {name: row[name] for name in _SHOWN}
    content["steps"] = [step for step in row["steps"].split(",") if step]
    return document(request, content, row["version"])


def _values(given: CampaignFields) -> dict:
    values = {name: getattr(given, name) for name in given.model_fields_set}
    if "variants" in values:
        values["variants"] = [variant.model_dump() for variant in given.variants]
    if len(values.get("excluded", [])) > 1_000:
        raise InvalidInput({"excluded": f"Leave out at most {MOST_EXCLUDED} segments."})
    return values
