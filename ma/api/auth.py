"""Signing in and out, and who one is."""

from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from ma import clock
from ma.api.answers import sent
from ma.api.asking import SECURITY, Asking, require_own_page
from ma.api.routing import Guarded, Open
from ma.api.values import Body
from ma.errors import Conflict
from ma.services import auth
from ma.services.idempotency import Answer
from ma.services.sign_in import sign_in
from ma.settings import settings
from ma.types import Actor, Permission, Role


class Password(Body):
    """A user name and its password."""

    username: str
    password: str


class Me(BaseModel):
    """Who asks, and what they may do. `by`: with a token or a session."""

    username: str
    name: str
    role: Role
    permissions: list[Permission]
    by: str
    now: datetime
    timezone: str


class SignedIn(BaseModel):
    """Who is signed in now."""

    username: str
    name: str
    role: Role
    permissions: list[Permission]


open_router = APIRouter(prefix="/auth", tags=["auth"], route_class=Open)
router = APIRouter(prefix="/auth", tags=["auth"], route_class=Guarded, dependencies=SECURITY)


@open_router.post("/login", response_model=SignedIn)
def login(request: Request, given: Password) -> Response:
    """Sign in: sets the cookie of a session, which every other address then takes instead of a token.

    After the fourth wrong password in a row the next one waits, twice as long each time (429, Retry-After).
    """
    # A program sends no Origin; a browser always does, and then it must be our own page.
    if "origin" in request.headers:
        require_own_page(request)
    database = request.app.state.database()
    address = request.client.host if request.client else None
    signed_in = sign_in(
        database, username=given.username, password=given.password, address=address, at=clock.now()
    )
    response = JSONResponse(_person(signed_in.actor), headers={"Cache-Control": "no-store"})
    longest = int(auth.LONGEST.total_seconds())
    response.set_cookie(auth.COOKIE, signed_in.token, max_age=longest, **_cookie_options())
    return response


@router.post("/logout", status_code=204)
def logout(ask: Asking) -> Response:
    """End the session of the cookie. A token does not sign out: it is revoked (409)."""
    if ask.by != "session":
        raise Conflict("A token does not sign out. Revoke it where it is needed no more: ma token revoke.")
    with ask.database.writing() as session:
        auth.end_session(session, ask.secret, at=clock.now())
    response = Response(status_code=204, headers={"Cache-Control": "no-store"})
    response.delete_cookie(auth.COOKIE, **_cookie_options())
    return response


@router.get("/me", response_model=Me)
def me(ask: Asking) -> Response:
    """Who asks, what they may do, and what time it is in the workspace."""
    told = {**_person(ask.actor), "by": ask.by, "now": ask.at, "timezone": ask.timezone}
    return sent(Answer(200, told))


def _person(actor: Actor) -> dict:
    permissions = [permission for permission in Permission if actor.may(permission)]
    return {
        "username": actor.username,
        "name": actor.name,
        "role": actor.role,
        "permissions": permissions,
    }


def _cookie_options() -> dict:
    return {"path": "/", "httponly": True, "samesite": "lax", "secure": settings().secure_cookies}
