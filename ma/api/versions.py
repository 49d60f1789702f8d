"""Versions of what can be edited: ETag, If-Match and If-None-Match.

An ETag is "VERSION.HASH". The hash covers all that is shown, also figures that change without an edit, and
answers If-None-Match; an edit looks at the version alone.
"""

import hashlib
import re
from typing import Annotated

from fastapi import Header, Request
from starlette.responses import Response

from ma.api.answers import to_json
from ma.api.problems import NoVersion
from ma.errors import Stale

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description="The ETag that was read; * for whatever the version is. Required."),
]
_TAG = re.compile(r'"([0-9]{1,9})(?:\.[0-9a-f]+)?"')


def expected_version(if_match: str | None, current: int) -> int:
    """The version that the caller saw: one of those in If-Match, the current one if it is among them.

    Raises NoVersion without the header, Stale where it names no version of ours.
    """
    if if_match is None or not if_match.strip():
        raise NoVersion(
            "Read it first and send its ETag in the header If-Match, so that nobody's edit is lost."
        )
    if if_match.strip() == "*":
        return current
    seen = [int(number) for number in _TAG.findall(if_match)]
    if current in seen:
        return current
    raise Stale("It was changed since the version in If-Match. Nothing was saved: read it again.")


def document(request: Request, content: dict, version: int) -> Response:
    """What is shown of one thing, with its ETag; 304 where the caller has just that."""
    body = to_json(content).encode()
    tag = f'"{version}.{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": "no-store"}
    known = request.headers.get("if-none-match", "")
    if request.method == "GET" and (tag in known or known.strip() == "*"):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json; charset=utf-8")
