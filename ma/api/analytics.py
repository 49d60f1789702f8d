"""Figures: the same frames as on the screens, in notebooks and in exports."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from ma.analytics.attribution import MODELS
from ma.api import tables
from ma.api.asking import SECURITY, Asking
from ma.api.routing import Long
from ma.api.values import AnId, Asked, Day
from ma.clock import local_day

router = APIRouter(prefix="/analytics", tags=["analytics"], route_class=Long, dependencies=SECURITY)
USUAL_DAYS = 28
First = Annotated[Day | None, Field(description="The first day, in the workspace's time zone.")]
Last = Annotated[Day | None, Field(description="The day after the last one.")]


class Period(Asked):
    """Days from `start` on, `end` exclusive; without them the last 28 days, today included."""

    start: First = None
    end: Last = None


class Trend(Period):
    """Days in a period, one by one or by week."""

    by: Literal["day", "week"] = "day"


class Launched(Asked):
    """Campaigns: these, or those launched on days from `start` on, `end` exclusive; without either all."""

    start: First = None
    end: Last = None
    campaign_ids: Annotated[list[AnId] | None, Field(max_length=500)] = None


class Chosen(Asked):
    """These campaigns; without them all."""

    campaign_ids: Annotated[list[AnId] | None, Field(max_length=500)] = None


class Cohorts(Asked):
    """Of whom: of those with one `value` of a profile `field`, or of a segment's people."""

    field: Annotated[str, Field(max_length=100)] = ""
    value: Annotated[str | None, Field(max_length=200)] = None
    segment_id: AnId | None = None
    newest: Annotated[int | None, Field(ge=1, le=1200, description="Only so many cohorts.")] = None


class Attribution(Launched):
    """Which conversions are shared out, among which messages, and how."""

    level: Literal["channel", "campaign"] = "channel"
    conversion: Annotated[str, Field(max_length=40)] = "purchases"
    touch: Annotated[str, Field(max_length=40)] = "response"
    window_days: Annotated[int | None, Field(ge=1, le=3650)] = None
    half_life_days: Annotated[int | None, Field(ge=1, le=3650)] = None
    models: Annotated[
        str, Field(max_length=200, description=f"Models with commas between: {', '.join(MODELS)}.")
    ] = ""


def _route(path: str, frame: str):
    return router.get(path, responses=tables.RESPONSES, description=tables.described(frame))


@_route("/overview", "kpis")
def overview(request: Request, ask: Asking, asked: Annotated[Period, Query()]) -> Response:
    return tables.table(request, ask, "kpis", _period(ask, asked))


@_route("/trend", "trend")
def trend(request: Request, ask: Asking, asked: Annotated[Trend, Query()]) -> Response:
    return tables.table(request, ask, "trend", _period(ask, asked))


@_route("/roi", "roi")
def roi(request: Request, ask: Asking, asked: Annotated[Launched, Query()]) -> Response:
    return tables.table(request, ask, "roi", asked.texts())


@_route("/funnel", "funnel")
def funnel(request: Request, ask: Asking, asked: Annotated[Launched, Query()]) -> Response:
    return tables.table(request, ask, "funnel", asked.texts())


@_route("/segments", "segment_performance")
def segments(request: Request, ask: Asking, asked: Annotated[Launched, Query()]) -> Response:
    return tables.table(request, ask, "segment_performance", asked.texts())


@_route("/experiments", "experiments")
def experiments(request: Request, ask: Asking, asked: Annotated[Chosen, Query()]) -> Response:
    return tables.table(request, ask, "experiments", asked.texts())


@_route("/cohorts", "cohorts")
def cohorts(request: Request, ask: Asking, asked: Annotated[Cohorts, Query()]) -> Response:
    return tables.table(request, ask, "cohorts", asked.texts())


@_route("/attribution", "attribution")
def attribution(request: Request, ask: Asking, asked: Annotated[Attribution, Query()]) -> Response:
    return tables.table(request, ask, "attribution", asked.texts())


def _period(ask, asked: Period) -> dict[str, str]:
    end = asked.end or local_day(ask.at, ask.timezone) + timedelta(days=1)
    start = asked.start or end - timedelta(days=USUAL_DAYS)
    return asked.texts() | {"start": start.isoformat(), "end": end.isoformat()}
