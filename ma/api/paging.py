"""Pages of a list: each answer carries a cursor to the next one.

A cursor says behind which row the next page begins. Rows that come or go meanwhile make nobody be left out or
told twice, as they would where pages are counted. It belongs to one list: with other filters it is refused.
"""

import binascii
import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from ma.errors import InvalidInput

USUAL, MOST = 100, 1_000
_LONGEST = 2_000
_STRANGE = InvalidInput({"cursor": "This cursor is not one of this list. Begin again without one."})


class Page(BaseModel):
    """How long a page is, and where it begins."""

    model_config = ConfigDict(extra="forbid")
    limit: Annotated[int, Field(ge=1, le=MOST, description="The most rows of this page.")] = USUAL
    cursor: Annotated[
        str, Field(max_length=_LONGEST, description="`next` of the page before; without it, the first page.")
    ] = ""


def cursor(values: Sequence[object], asked: Page) -> str:
    """A cursor behind the row with these values; `asked` is what its list was asked for."""
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    document = json.dumps([_list(asked), plain])
    return urlsafe_b64encode(document.encode()).decode().rstrip("=")


def position(asked: Page, kinds: Sequence[type]) -> list | None:
    """The values in the cursor, each of its kind or None; None for the first page. Raises InvalidInput."""
    if not asked.cursor:
        return None
    try:
        padded = asked.cursor + "=" * (-len(asked.cursor) % 4)
        mine, values = json.loads(urlsafe_b64decode(padded.encode("ascii")))
        if mine != _list(asked) or len(values) != len(kinds):
            raise ValueError
        return [_typed(value, kind) for value, kind in zip(values, kinds, strict=True)]
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise _STRANGE from error


def next_url(request: Request, token: str | None) -> str | None:
    """The address of the next page; None where this is the last."""
    if token is None:
        return None
    url = request.url.include_query_params(cursor=token)
    return url.path + "?" + url.query


def _list(asked: Page) -> str:
    filters = asked.model_dump(mode="json", exclude={"limit", "cursor"})
    return hashlib.sha256(json.dumps(filters, sort_keys=True).encode()).hexdigest()[:12]


def _typed(value: object, kind: type) -> object:
    if value is None:
        return None
    if kind is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment
    if kind is float and isinstance(value, int | float):
        return float(value)
    if not isinstance(value, kind) or isinstance(value, bool) or (kind is int and abs(value) >= 2**63):
        raise ValueError
    return value
