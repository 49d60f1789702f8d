"""What the API says of itself: the OpenAPI document, and the page for people made from it."""

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse, JSONResponse, Response

from ma.api.docs_page import page_of
from ma.api.problems import MEDIA_TYPE
from ma.api.routing import Open

router = APIRouter(include_in_schema=False, route_class=Open)
ABOUT = (
    "Everything the screens can do with customers, segments and campaigns, and every figure they show. "
    "Money is in minor units (cents), rates are 0-1, null is unknown, times are in UTC. "
    "docs/api.md explains tokens, pages, versions and repeated requests with examples."
)
# What each address may also answer: status -> (when, its methods).
_ALL = ("get", "post", "patch", "delete")
_REFUSALS = {
    "401": ("It is not known who asks.", _ALL),
    "403": ("The role does not include this, or another site's page asks.", _ALL),
    "404": ("There is no such thing.", _ALL),
    "406": ("There is no such format.", ("get",)),
    "409": (
        "It does not fit the present state, or the Idempotency-Key belongs to another request.",
        _ALL[1:],
    ),
    "412": ("Somebody else changed it since the version in If-Match.", ("patch", "delete")),
    "413": ("The body is too large.", ("post", "patch")),
    "415": ("The body is no JSON.", ("post", "patch")),
    "422": ("Something that was sent cannot be accepted.", _ALL),
    "428": ("The header If-Match is missing.", ("patch", "delete")),
    "429": ("Too many wrong passwords.", ("post",)),
    "500": ("Something went wrong on our side.", _ALL),
    "503": ("The service cannot answer now; try again.", _ALL),
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A key of your own, such as a UUID. A request that comes again with it within 24 hours "
    "gets the answer of the first time and does nothing.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
# POSTs that change nothing, or whose answer must not be kept.
_WITHOUT_KEY = ("/auth/login", "/auth/logout", "/segments/preview")


@router.get("/openapi.json")
def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


@router.get("/docs")
def page(request: Request) -> Response:
    """The page for people."""
    return HTMLResponse(page_of(request.app.openapi()))


def described(app: FastAPI) -> dict:
    """The OpenAPI document of the application: with its problems, and the keys of what counts once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=ABOUT,
            routes=app.routes,
            servers=[{"url": "/api"}],
        )
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                _complete(path, method, operation)
        schemas = document["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas["ProblemDetails"] = _PROBLEM
        app.openapi_schema = document
    return app.openapi_schema


_PROBLEM = {
    "type": "object",
    "title": "ProblemDetails",
    "description": "What went wrong (RFC 9457): `detail` says what to do, `problems` what is wrong by field.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "problems": {"type": "object", "additionalProperties": {"type": "string"}},
        "path": {"type": "string"},
        "step": {"type": "string"},
        "reference": {"type": "string"},
    },
}


def _complete(path: str, method: str, operation: dict) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
    for status, (words, methods) in _REFUSALS.items():
        if method in methods:
            responses[status] = {"description": words, "content": content}
    if "ETag" in str(operation.get("parameters", "")) or _has_version(responses):
        responses["304"] = {"description": "It is still what the ETag in If-None-Match stands for."}
    if method == "post" and path not in _WITHOUT_KEY:
        operation.setdefault("parameters", []).append(_KEY)


def _has_version(responses: dict) -> bool:
    schema = responses.get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return schema.get("$ref", "").rsplit("/", 1)[-1] in ("Customer", "Segment", "Campaign")
