"""What can stand in a request: ids, days, instants, texts."""

import re
from datetime import date, datetime
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.convertors import Convertor, register_url_convertor

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
# What an integer column of every database holds; a big one holds the second.
LARGEST, LARGEST_BIG = 10**9 - 1, 10**18 - 1

Id = Annotated[int, Path(ge=1, le=LARGEST)]
CustomerId = Annotated[int, Path(ge=1, le=LARGEST_BIG)]


class _IdConvertor(Convertor[str]):
    """Digits, as many as a database takes: any other address is nobody's, and "count" is no id."""

    regex = "[0-9]{1,18}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return str(value)


# In addresses of routes: {customer_id:id}.
register_url_convertor("id", _IdConvertor())
AnId = Annotated[int, Field(ge=1, le=LARGEST)]


class Body(BaseModel):
    """What a request may hold: these fields and no others, each of just its type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Asked(BaseModel):
    """The parameters of an address: these and no others."""

    model_config = ConfigDict(extra="forbid")

    def texts(self) -> dict[str, str]:
        """What was given, as text; lists with commas between."""
        given = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        return {name: _text(value) for name, value in given.items()}


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _day(value: object) -> date | None:
    if value is None or type(value) is date:
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("Give a day as 2026-12-31.")
    try:
        day = date.fromisoformat(value)
    except ValueError as error:
        raise ValueError("There is no such day. Give one as 2026-12-31.") from error
    # A time zone's shift, or the period before, must not lead out of the calendar.
    if not 1900 <= day.year < 2200:
        raise ValueError("Give a day between 1900 and 2199.")
    return day


def _moment(value: object) -> datetime:
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise ValueError("Give a time with its zone, as 2026-12-31T17:30:00Z.")
    try:
        return datetime.fromisoformat(value.upper())
    except ValueError as error:
        raise ValueError("There is no such time. Give one as 2026-12-31T17:30:00Z.") from error


Day = Annotated[date, BeforeValidator(_day)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
