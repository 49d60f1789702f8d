"""Answers on their way: JSON with days and instants as ISO 8601 says, kept by nobody."""

import json
from datetime import date, datetime

from starlette.responses import Response

from ma.services.idempotency import Answer


def to_json(content: object) -> str:
    """JSON with days and instants as ISO 8601 says; NaN never."""
    return json.dumps(content, default=_plain, allow_nan=False)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON.")


def sent(answer: Answer, **headers: str) -> Response:
    """An answer on its way."""
    named = {"Cache-Control": "no-store", **answer.headers, **headers}
    if answer.status == 204:
        return Response(status_code=204, headers=named)
    return Response(
        to_json(answer.content), answer.status, headers=named, media_type="application/json; charset=utf-8"
    )
