"""Figures for a monitoring system, as Prometheus reads them: what waits, who is behind, how the API answers.

With a token, like everything else: behind a proxy every request comes from this machine.
"""

import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse
from sqlalchemy.orm import Session
from starlette.responses import Response

from ma.analytics import activity
from ma.api.asking import SECURITY, Asking
from ma.api.measured import BOUNDS, Requests
from ma.api.routing import Long
from ma.db import migrate
from ma.services.due import due
from ma.services.permissions import require
from ma.types import Permission

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
router = APIRouter(tags=["health"], route_class=Long, dependencies=SECURITY)
_STARTED = time.time()
# Column -> metric and what it says, of the tables that the activity screen shows.
_BACKLOG = {
    "waiting": ("ma_events_waiting", "Events that were not sent yet"),
    "oldest_seconds": ("ma_events_oldest_waiting_seconds", "Since the oldest of them was recorded"),
    "unsettled": ("ma_events_unsettled", "Events that were sent and that some subscriber lacks"),
}
_SUBSCRIBERS = {
    "behind": ("ma_subscriber_behind", "Events that a subscriber has not acted on yet"),
    "lag_seconds": ("ma_subscriber_lag_seconds", "Since the oldest of them was recorded"),
    "per_minute": ("ma_subscriber_per_minute", "Events acted on a minute, over five minutes"),
    "failing": ("ma_subscriber_failing", "Events that failed and are tried again"),
    "parked": ("ma_subscriber_parked", "Events given up on: they wait for somebody"),
}
Sample = tuple[Mapping[str, object], float]


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request, ask: Asking) -> Response:
    """Figures for a monitoring system, in the text format of Prometheus."""
    require(ask.actor, Permission.READ)
    with ask.reading() as session:
        lines = [*_of_events(session, ask), *_of_work(session, ask)]
    lines += [*_of_requests(request.app.state.requests), *_of_process()]
    return Response("\n".join(lines) + "\n", headers={"Cache-Control": "no-store"}, media_type=MEDIA_TYPE)


def _of_events(session: Session, ask: Asking) -> Iterator[str]:
    for read, label, columns in (
        (activity.backlog, "module", _BACKLOG),
        (activity.subscribers, "subscriber", _SUBSCRIBERS),
    ):
        rows = read(session, as_of=ask.at).to_dict("records")
        for column, (name, words) in columns.items():
            # Where nothing waits, nothing is old.
            samples = [({label: row[label]}, 0 if math.isnan(row[column]) else row[column]) for row in rows]
            yield from _metric(name, "gauge", words, samples)


def _of_work(session: Session, ask: Asking) -> Iterator[str]:
    waiting = [({}, len(due(session, at=ask.at)))]
    yield from _metric(
        "ma_scheduled_overdue", "gauge", "Launches, waves and completions that are due and not done", waiting
    )
    yield from _metric("ma_info", "gauge", "The version of the tables", [({"tables": migrate.head()}, 1)])


def _of_requests(requests: Requests) -> Iterator[str]:
    samples = [
        ({"method": method, "address": address, "status": status}, count)
        for (method, address, status), count in sorted(requests.answered.items())
    ]
    yield from _metric("ma_api_requests_total", "counter", "Requests that the API answered", samples)
    name, count = "ma_api_request_seconds", 0
    yield from _metric(name, "histogram", "How long they took", [])
    for bound in (*BOUNDS, math.inf):
        count += requests.within[bound]
        yield f'{name}_bucket{{le="{_number(bound)}"}} {count}'
    yield f"{name}_sum {_number(requests.seconds)}"
    yield f"{name}_count {count}"


def _of_process() -> Iterator[str]:
    used = os.times()
    cpu = [({}, used.user + used.system)]
    yield from _metric("process_cpu_seconds_total", "counter", "Processor time of the app", cpu)
    yield from _metric("process_start_time_seconds", "gauge", "When the app started", [({}, _STARTED)])
    pages = Path("/proc/self/statm")
    if pages.exists():
        resident = int(pages.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        yield from _metric("process_resident_memory_bytes", "gauge", "Memory of the app", [({}, resident)])


def _metric(name: str, kind: str, words: str, samples: list[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {words}."
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        told = ",".join(f'{label}="{text}"' for label, text in labels.items())
        yield f"{name}{{{told}}} {_number(value)}" if told else f"{name} {_number(value)}"


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(float(value))
