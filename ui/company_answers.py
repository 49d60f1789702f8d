"""What the framework answers on the way to the identity provider and back, held to our rules.

It always leads back to the start page, says nothing of what went wrong, and leaves the provider's tokens and
the person's claims in the browser for a month. Here the way leads to where the person wanted to go, a cookie
of a minute carries the reason, the tokens stay out of the browser and the claims are gone after five.
"""

import logging
import re
from urllib.parse import unquote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ma.log import log_error
from ma.services.company_sign_in import FRESH
from ma.settings import settings
from ui.local_path import local_path

# Where the browser says, before it leaves, which place it is to come back to.
REMEMBER = "/auth/next"
NEXT, REFUSED = "ma_next", "ma_not_signed_in"
_THERE, _BACK = "/auth/login", "/oauth2callback"
# Somebody may have to look for a telephone before they come back.
NEXT_SECONDS, _REFUSED_SECONDS = 15 * 60, 60
_CLAIMS, _TOKENS = re.compile(r"_streamlit_user(_\d+)?="), re.compile(r"_streamlit_user_tokens(_\d+)?=")


class _Discreet(logging.Filter):
    """Lets the framework log the kind of a failure, but not the provider's words, which can name people."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info and record.exc_info[1]
        if error:
            log_error(error, doing=f"company sign-in {_code(getattr(error, 'error', ''))}".strip())
            return False
        if record.args:
            record.msg, record.args = "Company sign-in: %s", (_code(next(iter(record.args))),)
        return True


def _code(word: object) -> str:
    """A word of the protocol, such as invalid_client; anything else is left out."""
    return word if isinstance(word, str) and re.fullmatch(r"[a-z_]{1,40}", word) else ""


def log_discreetly() -> None:
    """Keep what people or the provider wrote out of the framework's log."""
    logger = logging.getLogger("streamlit.web.server.starlette.starlette_auth_routes")
    logger.filters = [_Discreet()]


class CompanyAnswers:
    """Changes the answers of the two routes of the framework's sign-in, and no others."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["path"] not in (_THERE, _BACK):
            await self.app(scope, receive, send)
            return
        kept = []

        async def keep(message):
            kept.append(message)

        await self.app(scope, receive, keep)
        headers = MutableHeaders(raw=list(kept[0]["headers"]))
        answer = _there if scope["path"] == _THERE else _back
        await answer(Request(scope), headers)(scope, receive, send)


def forget(request: Request, response: Response) -> None:
    """Take away what is left of a sign-in at the provider."""
    for name in request.cookies:
        if name in (NEXT, REFUSED) or re.match(r"_streamlit_user(_|$)", name):
            response.delete_cookie(name, path="/", httponly=True, samesite="lax")


def _there(request: Request, headers: MutableHeaders) -> Response:
    """To the provider; back to the sign-in screen with a word why not, where it cannot be reached."""
    location = headers.get("location", "")
    if location.startswith(("https://", "http://")):
        return _redirect(location, headers)
    return _refused(request, headers, "failed" if location else "unreachable")


def _back(request: Request, headers: MutableHeaders) -> Response:
    """Back from the provider to where the person wanted to go."""
    if not any(_CLAIMS.match(cookie) and not _deletes(cookie) for cookie in headers.getlist("set-cookie")):
        declined = request.query_params.get("error") == "access_denied"
        return _refused(request, headers, "cancelled" if declined else "failed")
    response = _redirect(_wanted(request), headers)
    response.delete_cookie(NEXT, path="/", httponly=True, samesite="lax")
    response.delete_cookie(REFUSED, path="/", httponly=True, samesite="lax")
    return response


def _refused(request: Request, headers: MutableHeaders, reason: str) -> Response:
    response = _redirect(_wanted(request), headers)
    response.set_cookie(
        REFUSED,
        reason,
        max_age=_REFUSED_SECONDS,
        path="/",
        httponly=True,
        samesite="lax",
        secure=settings().secure_cookies,
    )
    return response


def _wanted(request: Request) -> str:
    return local_path(unquote(request.cookies.get(NEXT, "")))


def _redirect(location: str, headers: MutableHeaders) -> RedirectResponse:
    response = RedirectResponse(location, 302, headers={"cache-control": "no-store"})
    for cookie in headers.getlist("set-cookie"):
        if kept := _shortened(cookie):
            response.headers.append("set-cookie", kept)
    return response


def _shortened(cookie: str) -> str | None:
    """A cookie as it may go to the browser: claims for minutes, tokens never."""
    if _deletes(cookie):
        return cookie
    if _TOKENS.match(cookie):
        return None
    if _CLAIMS.match(cookie):
        cookie = re.sub(r"(?i)max-age=\d+", f"Max-Age={int(FRESH.total_seconds())}", cookie)
    return cookie + "; Secure" if settings().secure_cookies else cookie


def _deletes(cookie: str) -> bool:
    return bool(re.search(r"(?i)max-age=0(;|$)", cookie))
