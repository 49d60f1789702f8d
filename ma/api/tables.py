"""Tables in the format that the caller accepts: JSON, CSV or Arrow. Each is a frame of `ma.analytics.frames`.

Taking a table out as a file needs the permission to export and is noted in the audit log, as on the screens.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

import pandas as pd
import pyarrow as pa
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from ma.analytics.frames import frame as registered
from ma.analytics.frames import frames
from ma.api.answers import sent, to_json
from ma.api.asking import SECURITY, Ask, Asking
from ma.api.problems import NotAcceptable
from ma.api.routing import Long
from ma.files.writing import to_csv
from ma.services.exports import record_export
from ma.services.idempotency import Answer
from ma.services.permissions import require
from ma.types import Permission

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
_EXTENSIONS = {CSV: "csv", ARROW: "arrow"}


router = APIRouter(prefix="/tables", tags=["tables"], route_class=Long, dependencies=SECURITY)


class Described(BaseModel):
    """A table and what it holds."""

    name: str
    description: str


class Tables(BaseModel):
    """All tables that there are."""

    tables: list[Described]


class Table(BaseModel):
    """The rows of a table. `next` is the address of the next page, null at the end and where there is one."""

    rows: list[dict]
    next: str | None = Field(description="The address of the next page; null at the end.")


# What the description of a route says of its answer.
RESPONSES = {
    200: {
        "model": Table,
        "content": {
            CSV: {"schema": {"type": "string"}},
            ARROW: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@dataclass(frozen=True)
class Format:
    """The format that was asked for."""

    media_type: str

    @property
    def is_file(self) -> bool:
        """Whether it takes the table out of the house."""
        return self.media_type != JSON


def asked_format(request: Request, ask: Ask) -> Format:
    """The format the caller likes best of those that there are. Raises NotAcceptable, NotAllowed."""
    found = Format(_best(request.headers.get("accept") or "*/*"))
    require(ask.actor, Permission.EXPORT if found.is_file else Permission.READ)
    return found


def table(
    request: Request, ask: Ask, name: str, params: Mapping[str, str], *, noted: bool = False
) -> Response:
    """A whole registered frame by its text parameters; `noted` in the audit log in every format."""
    wanted = asked_format(request, ask)
    with ask.reading() as session:
        found = registered(session, name, as_of=ask.at, params=dict(params))
    if noted and not wanted.is_file:
        _note(ask, name, "json", found, params)
    return shown(ask, wanted, found, name=name, params=params)


def shown(
    ask: Ask,
    wanted: Format,
    frame: pd.DataFrame | list[dict],
    *,
    name: str,
    params: Mapping[str, str],
    following: str | None = None,
) -> Response:
    """A frame (or for JSON its rows) on its way, with the address of what follows."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    if following:
        headers["Link"] = f'<{following}>; rel="next"'
    if not wanted.is_file:
        rows = frame if isinstance(frame, list) else records(frame)
        content = to_json({"rows": rows, "next": following})
        return Response(content, headers=headers, media_type="application/json; charset=utf-8")
    extension = _EXTENSIONS[wanted.media_type]
    body = to_csv(frame) if wanted.media_type == CSV else to_arrow(frame)
    _note(ask, name, extension, frame, params)
    headers["Content-Disposition"] = f'attachment; filename="{name}.{extension}"'
    kind = f"{CSV}; charset=utf-8" if wanted.media_type == CSV else ARROW
    return Response(body, headers=headers, media_type=kind)


@router.get("", response_model=Tables)
def list_tables(ask: Asking) -> Response:
    """The names of all tables that there are, with what each holds."""
    require(ask.actor, Permission.READ)
    told = [{"name": name, "description": described(name)} for name in sorted(frames())]
    return sent(Answer(200, {"tables": told}))


@router.get("/{name}", responses=RESPONSES)
def read_table(request: Request, ask: Asking, name: str) -> Response:
    """Any table of the screens, whole, in every format; noted in the audit log like an export.

    The address takes the parameters of the same export on the screens: lists with commas between, days as
    2026-12-31. One that the table has not is refused.
    """
    require(ask.actor, Permission.EXPORT)
    given = request.query_params
    params = {key: ",".join(given.getlist(key)) for key in given}
    return table(request, ask, name, params, noted=True)


def _note(ask: Ask, name: str, extension: str, frame: pd.DataFrame, params: Mapping[str, str]) -> None:
    named = {"frame": name, "extension": extension, "rows": len(frame), "params": dict(params)}
    with ask.database.writing() as session:
        record_export(session, ask.actor, **named, at=ask.at)


def of_page(frame: pd.DataFrame, page: list[dict], key: str) -> pd.DataFrame:
    """The rows of a frame that are on a page, in its order: a file has the types of the frame."""
    return frame.set_index(key, drop=False).loc[[row[key] for row in page]].reset_index(drop=True)


def records(frame: pd.DataFrame) -> list[dict]:
    """The rows as plain values: what is unknown as None, a time at midnight without a zone as its day."""
    columns = [[_plain(value) for value in frame.iloc[:, place].tolist()] for place in range(frame.shape[1])]
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def to_arrow(frame: pd.DataFrame) -> bytes:
    """The frame as an Arrow stream, with its types and without its index."""
    held, buffer = pa.Table.from_pandas(frame, preserve_index=False), BytesIO()
    # Without what pandas alone would read of it.
    held = held.replace_schema_metadata(None)
    with pa.ipc.new_stream(buffer, held.schema) as stream:
        stream.write_table(held)
    return buffer.getvalue()


def described(name: str) -> str:
    """What a frame holds, from its own docstring, without what only Python's callers need."""
    paragraphs = (frames()[name].__doc__ or "").split("\n\n")
    told = [" ".join(part.split()) for part in paragraphs]
    return "\n\n".join(part for part in told if not part.startswith("Raises"))


def _best(accept: str) -> str:
    """The best of our formats by the weights in Accept; of equal ones JSON, then CSV, then Arrow."""
    weights = {}
    for part in accept.split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        weights[kind.lower()] = _weight(parameters)
    found = {ours: _weight_of(ours, weights) for ours in (JSON, CSV, ARROW)}
    best = max(found, key=found.__getitem__)
    if found[best] <= 0:
        raise NotAcceptable(f"There are {JSON}, {CSV} and {ARROW}. Send one of them in the header Accept.")
    return best


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _weight_of(ours: str, weights: dict[str, float]) -> float:
    family = ours.split("/")[0] + "/*"
    return next((weights[kind] for kind in (ours, family, "*/*") if kind in weights), 0.0)


def _plain(value: object) -> object:
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, pd.Timestamp):
        return value.date() if value.tzinfo is None else value.tz_convert("UTC").to_pydatetime(warn=False)
    return value.item() if hasattr(value, "item") else value
