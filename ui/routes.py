"""What the server answers beside the screens: sessions, exports, health, and the REST API."""

import json
from datetime import datetime
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from ma import clock
from ma.errors import Exposed, NotAllowed, NotFound, NotReady
from ma.services import auth
from ma.services.exports import record_export, record_person_export
from ma.services.permissions import require
from ma.settings import settings
from ma.text import whole_number
from ma.types import Actor, Permission
from ui import session as ui_session
from ui.company_answers import NEXT, NEXT_SECONDS, REMEMBER, forget
from ui.errors import explain
from ui.local_path import local_path
from ui.session import COOKIE, now, reading, workspace, writing

MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
# How errors written for people are answered; the others are wrong requests.
_STATUS = {NotAllowed: 403, NotFound: 404, NotReady: 503}


async def open_session(request: Request) -> Response:
    """Swap a one-time ticket for the session's cookie and go where the person wanted to."""
    if not _from_here(request):
        return PlainTextResponse("Sign in on this site's own page.", 403)
    form = await request.form()
    token = await run_in_threadpool(_redeem, str(form.get("ticket", "")), request.cookies.get(COOKIE))
    response = RedirectResponse(local_path(str(form.get("next", ""))), 303)
    forget(request, response)
    if token:
        response.set_cookie(COOKIE, token, max_age=int(auth.LONGEST.total_seconds()), **_cookie_options())
    return response


async def close_session(request: Request) -> Response:
    """Sign out: end the session and take its cookie away."""
    if not _from_here(request):
        return PlainTextResponse("Sign out on this site's own page.", 403)
    await run_in_threadpool(_end, request.cookies.get(COOKIE))
    response = RedirectResponse("/", 303)
    forget(request, response)
    response.delete_cookie(COOKIE, **_cookie_options())
    return response


async def remember_next(request: Request) -> Response:
    """Keep the place that the browser is to come back to from the identity provider."""
    if not _from_here(request):
        return PlainTextResponse("Sign in on this site's own page.", 403)
    form = await request.form()
    response = Response(status_code=204, headers={"Cache-Control": "no-store"})
    wanted = local_path(str(form.get("next", "")))
    # A cookie holds 4 kB; a filter may be longer.
    wanted = wanted if len(wanted) <= 2000 else urlsplit(wanted).path
    response.set_cookie(NEXT, quote(wanted, safe=""), max_age=NEXT_SECONDS, **_cookie_options())
    return response


# Not async: the server runs it beside its event loop, so that a big table holds nobody up.
def export(request: Request) -> Response:
    """Download a frame as a file, for people whose role may export."""
    name, extension = request.path_params["frame"], request.path_params["extension"]
    try:
        actor = _actor(request)
        if actor is None:
            return PlainTextResponse("Sign in first, then open this address again.", 401)
        require(actor, Permission.EXPORT)
        if extension not in MEDIA_TYPES:
            raise NotFound(f"There is no format '{extension}'. There are: {', '.join(MEDIA_TYPES)}.")
        params = {key: ",".join(request.query_params.getlist(key)) for key in request.query_params}
        content = _file(actor, name, extension, params)
    except Exposed as error:
        return PlainTextResponse(str(error), _STATUS.get(type(error), 400))
    except Exception as error:
        return PlainTextResponse(explain(error), 500)
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.{extension}"',
        "Cache-Control": "no-store",
    }
    return Response(content, media_type=MEDIA_TYPES[extension], headers=headers)


def export_person(request: Request) -> Response:
    """Download everything held on one person, for people whose role may export."""
    try:
        actor = _actor(request)
        if actor is None:
            return PlainTextResponse("Sign in first, then open this address again.", 401)
        require(actor, Permission.EXPORT)
        customer_id = whole_number(request.query_params.get("id", ""), digits=18)
        if customer_id is None:
            raise NotFound("The address names no customer.")
        document = _everything(actor, customer_id)
    except Exposed as error:
        return PlainTextResponse(str(error), _STATUS.get(type(error), 400))
    except Exception as error:
        return PlainTextResponse(explain(error), 500)
    headers = {
        "Content-Disposition": f'attachment; filename="customer-{customer_id}.json"',
        "Cache-Control": "no-store",
    }
    content = json.dumps(document, ensure_ascii=False, indent=2)
    return Response(content, media_type="application/json; charset=utf-8", headers=headers)


def export_report(request: Request) -> Response:
    """Download a report on campaigns, for people whose role may export."""
    # Loaded here: pandas would delay the start.
    from ui.report_file import MEDIA_TYPES, report_file

    extension = request.path_params["extension"]
    try:
        actor = _actor(request)
        if actor is None:
            return PlainTextResponse("Sign in first, then open this address again.", 401)
        require(actor, Permission.EXPORT)
        name, content = report_file(actor, extension, request.query_params)
    except Exposed as error:
        return PlainTextResponse(str(error), _STATUS.get(type(error), 400))
    except Exception as error:
        return PlainTextResponse(explain(error), 500)
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=MEDIA_TYPES[extension], headers=headers)


def rejected_rows(request: Request) -> Response:
    """Download the rows that a dry run refused; only for whoever made it."""
    # Loaded here: pandas would delay the start.
    from ma.files.writing import to_csv
    from ui import import_job

    try:
        actor = _actor(request)
        if actor is None:
            return PlainTextResponse("Sign in first, then open this address again.", 401)
        require(actor, Permission.IMPORT)
        rows = import_job.rejected_rows(actor, request.path_params["job"])
        with writing() as session:
            record_export(
                session, actor, frame="rejected_rows", extension="csv", rows=len(rows), params={}, at=now()
            )
    except Exposed as error:
        return PlainTextResponse(str(error), _STATUS.get(type(error), 400))
    except Exception as error:
        return PlainTextResponse(explain(error), 500)
    headers = {
        "Content-Disposition": 'attachment; filename="rejected-rows.csv"',
        "Cache-Control": "no-store",
    }
    return Response(to_csv(rows), media_type=MEDIA_TYPES["csv"], headers=headers)


def api_page(_request: Request) -> Response:
    """From the API's bare address to the page that explains it."""
    return RedirectResponse("/api/docs")


def health(_request: Request) -> Response:
    """Whether the server runs and reaches its database."""
    try:
        workspace()
    except Exception as error:
        return JSONResponse({"status": "failing", "reason": explain(error)}, 503)
    return JSONResponse({"status": "ok"})


class Api:
    """The REST API, built for its first request: what it needs would delay the start."""

    def __init__(self):
        self._app = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            self._app = await run_in_threadpool(self._built)
        await self._app(scope, receive, send)

    @staticmethod
    def _built():
        from ma.api.app import create_app

        return create_app(lambda: ui_session.database())


ROUTES = [
    Route("/auth/session", open_session, methods=["POST"]),
    Route("/auth/logout", close_session, methods=["POST"]),
    Route(REMEMBER, remember_next, methods=["POST"]),
    Route("/export/person", export_person, methods=["GET"]),
    Route("/export/report.{extension}", export_report, methods=["GET"]),
    Route("/export/{frame}.{extension}", export, methods=["GET"]),
    Route("/import/{job}/rejected.csv", rejected_rows, methods=["GET"]),
    Route("/health", health, methods=["GET"]),
    Route("/api", api_page, methods=["GET"]),
    Mount("/api", app=Api()),
]


def _from_here(request: Request) -> bool:
    # Hosts are compared, not schemes: behind a proxy this server sees http where the browser sees https.
    origin = request.headers.get("origin")
    return bool(origin) and urlsplit(origin).netloc == request.headers.get("host")


def _cookie_options() -> dict:
    return {"path": "/", "httponly": True, "samesite": "lax", "secure": settings().secure_cookies}


def _redeem(ticket: str, old_token: str | None) -> str | None:
    with writing() as session:
        token = auth.redeem_ticket(session, ticket, at=clock.now())
        if token and old_token:
            auth.end_session(session, old_token, at=clock.now())
    return token


def _end(token: str | None) -> None:
    if token:
        with writing() as session:
            auth.end_session(session, token, at=clock.now())


def _actor(request: Request) -> Actor | None:
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    with reading() as session:
        return auth.session_actor(session, token, now=clock.now())


def _everything(actor: Actor, customer_id: int) -> dict:
    from ma.analytics.person import everything

    as_of = now()
    with reading() as session:
        document = everything(session, customer_id, as_of=as_of)
    with writing() as session:
        record_person_export(session, actor, customer_id, at=as_of)
    return document


def _file(actor: Actor, name: str, extension: str, params: dict[str, str]) -> bytes:
    # Loaded here: pandas would delay the start.
    from ma.analytics.frames import frame
    from ma.files.writing import written

    as_of = now()
    with reading() as session:
        made = _MADE.get(name)
        table = made(session, as_of, params) if made else frame(session, name, as_of=as_of, params=params)
    content = written(table, extension)
    with writing() as session:
        record_export(
            session, actor, frame=name, extension=extension, rows=len(table), params=params, at=as_of
        )
    return content


def _forecast(session, as_of: datetime, params: dict[str, str]):
    """The quantiles of a draft's forecast."""
    from ma.services.forecasts import quantiles

    campaign_id = whole_number(params.get("campaign_id", ""))
    if campaign_id is None or set(params) != {"campaign_id"}:
        raise NotFound("The address names no campaign to forecast.")
    return quantiles(session, campaign_id=campaign_id, as_of=as_of)


def _replay(session, as_of: datetime, params: dict[str, str]):
    """The figures of a replay, its changes written as in the screen's address."""
    from ma.services import replays
    from ui import replay_changes

    campaign_id = whole_number(params.get("campaign_id", ""))
    if campaign_id is None or not set(params) <= {"campaign_id", "change"}:
        raise NotFound("The address names no campaign to replay.")
    campaign = replays.launched(session, campaign_id)
    changes = replay_changes.from_address(session, campaign, params.get("change", ""), as_of=as_of)
    return replays.figures(session, campaign_id=campaign_id, changes=changes, as_of=as_of)


def _budget_plan(session, as_of: datetime, params: dict[str, str]):
    """The best split of a budget among some campaigns."""
    from ma.services.budget_plans import budget_plan

    ids = [whole_number(part) for part in params.get("campaign_ids", "").split(",")]
    budget = whole_number(params.get("budget_minor", ""), digits=13)
    apart = whole_number(params.get("days_apart", "0"))
    known = set(params) <= {"campaign_ids", "budget_minor", "days_apart"}
    if not known or budget is None or apart is None or None in ids:
        raise NotFound("The address names no budget to plan.")
    return budget_plan(session, as_of=as_of, campaign_ids=ids, budget_minor=budget, days_apart=apart)


# Tables that are worked out anew: made by services, since they ask more than what is stored.
_MADE = {"forecast": _forecast, "replay": _replay, "budget_plan": _budget_plan}
