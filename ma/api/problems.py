"""What went wrong, as RFC 9457 problem details: every error that leaves the API is made here.

`type` names the kind of problem and leads to its explanation, `detail` says what to do, `problems` maps each
field to what is wrong with it. Nothing of what was sent, of SQL or of the code gets out.
"""

import json
from dataclasses import dataclass
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ma import errors
from ma.db.engine import is_busy, trouble
from ma.log import log_error

MEDIA_TYPE = "application/problem+json"


class NoVersion(errors.Exposed):
    """An edit that does not say which version was seen."""


class TooLarge(errors.Exposed):
    """A body longer than this address takes."""


class NotAcceptable(errors.Exposed):
    """A format that there is not."""


class WrongMediaType(errors.Exposed):
    """A body that is no JSON."""


@dataclass(frozen=True)
class Kind:
    """One kind of problem: its name in the address of its explanation, its status, and what it means."""

    name: str
    status: int
    title: str
    error: type[Exception] | None = None


# The first that fits counts: the narrower before the wider.
KINDS = (
    Kind("invalid-rule", 422, "The rule cannot be accepted", errors.InvalidRule),
    Kind("invalid-period", 422, "The period starts after its end", errors.InvalidPeriod),
    Kind("invalid-input", 422, "Something that was sent cannot be accepted", errors.InvalidInput),
    Kind("not-found", 404, "There is no such thing", errors.NotFound),
    Kind("not-signed-in", 401, "It is not known who asks", errors.NotSignedIn),
    Kind("too-many-attempts", 429, "Too many wrong passwords", errors.TooManyAttempts),
    Kind("not-allowed", 403, "The role does not include this", errors.NotAllowed),
    Kind("stale", 412, "Somebody else changed it meanwhile", errors.Stale),
    Kind("nobody-left", 409, "Nobody would be sent the campaign", errors.NobodyLeft),
    Kind("conflict", 409, "It does not fit the present state", errors.Conflict),
    Kind("not-ready", 503, "The service cannot answer now", errors.NotReady),
    Kind("no-version", 428, "The edit does not say which version was seen", NoVersion),
    Kind("too-large", 413, "The body is too large", TooLarge),
    Kind("not-acceptable", 406, "There is no such format", NotAcceptable),
    Kind("wrong-media-type", 415, "The body is no JSON", WrongMediaType),
    Kind("invalid-input", 422, "Something that was sent cannot be accepted", errors.Exposed),
    Kind("method-not-allowed", 405, "The address does not take this method"),
    Kind("unexpected", 500, "Something went wrong on our side"),
)
_BY_NAME = {kind.name: kind for kind in reversed(KINDS)}
_HTTP = {404: "not-found", 405: "method-not-allowed"}
_NO_ADDRESS = "There is nothing at this address. The API's page, /api/docs, lists what there is."


def response(error: Exception, *, doing: str = "") -> Response:
    """The answer to an error; one that nobody foresaw is logged, and its reference id given."""
    if isinstance(error, RequestValidationError):
        problems = _fields(error.errors())
        return problem("invalid-input", " ".join(problems.values()), problems=problems)
    if isinstance(error, HTTPException):
        return _http(error)
    if isinstance(error, SQLAlchemyError) and (words := trouble(error)):
        if not is_busy(error):
            log_error(error, doing=doing)
        return problem("not-ready", words, headers={"Retry-After": "1"})
    kind = next((kind for kind in KINDS if kind.error and isinstance(error, kind.error)), None)
    if kind is None:
        reference = log_error(error, doing=doing)
        detail = f"Something went wrong on our side. Try again; if it stays, report reference {reference}."
        return problem("unexpected", detail, reference=reference)
    return problem(kind.name, str(error), headers=_headers(error), **_members(error))


def problem(name: str, detail: str, *, headers: dict[str, str] | None = None, **members) -> Response:
    """A problem of a kind, in one's own words."""
    kind = _BY_NAME[name]
    content = {"type": f"/api/docs#{name}", "title": kind.title, "status": kind.status, "detail": detail}
    return Response(
        # In ASCII: what is told back may hold what cannot be encoded.
        json.dumps(content | members),
        kind.status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type=MEDIA_TYPE,
    )


def _members(error: Exception) -> dict:
    if isinstance(error, errors.InvalidInput):
        return {"problems": error.problems}
    if isinstance(error, errors.InvalidRule):
        return {"problems": {"rule": str(error)}, "path": error.path}
    return {"step": error.step} if isinstance(error, errors.NobodyLeft) else {}


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, errors.NotSignedIn):
        return {"WWW-Authenticate": 'Bearer realm="api"'}
    if isinstance(error, errors.TooManyAttempts):
        return {"Retry-After": str(max(1, round(error.wait.total_seconds())))}
    return {}


def _http(error: HTTPException) -> Response:
    name = _HTTP.get(error.status_code, "invalid-input" if error.status_code < 500 else "unexpected")
    words = {
        404: _NO_ADDRESS,
        405: "This address does not take this method. The header Allow says which it takes.",
    }
    detail = words.get(error.status_code, HTTPStatus(error.status_code).phrase)
    return problem(name, detail, headers=dict(error.headers or {}))


def _fields(found: list[dict]) -> dict[str, str]:
    """What the reading of a request found, by field."""
    problems = {}
    for one in found:
        # Where it was looked for (body, query) is no part of the name, nor which member of a union it is.
        _, *path = one["loc"] if len(one["loc"]) > 1 else (None, *one["loc"])
        field = ".".join(str(part) for part in path)
        problems.setdefault(field, _words(one, field))
    return problems


def _words(one: dict, field: str) -> str:
    match one["type"]:
        case "missing":
            return f"'{field}' is missing. Give it." if field != "body" else "The body is missing. Send JSON."
        case "extra_forbidden":
            return f"There is no '{field}' here. Leave it out."
        case "string_type" | "dict_type" if one["input"] is None:
            return f"'{field}' cannot be null. Give it a value, or leave it out."
        case "value_error":
            return f"'{field}': {one['msg'].removeprefix('Value error, ')}"
        case _:
            return f"'{field}': {one['msg']}."
