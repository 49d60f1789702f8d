"""Saving a list's search, filters, columns and order under a name."""

import json
import unicodedata
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ma.errors import Conflict, InvalidInput, NotFound
from ma.models import SavedView
from ma.services.audit import audit
from ma.services.customer_fields import has_unseen
from ma.services.permissions import require
from ma.text import fold
from ma.types import Actor, Permission

VIEW = SavedView.__table__
LONGEST_NAME = 100
# A rule has at most 64 KiB; an address is never that long.
_LONGEST_PARAMS = 100_000


def save_view(
    session: Session,
    actor: Actor,
    *,
    screen: str,
    name: str,
    params: dict[str, str],
    shared: bool = False,
    at: datetime,
) -> int:
    """Keep address parameters under a name; returns the view's id.

    Raises InvalidInput with every problem at once: a name that this person has used on this screen, too.
    """
    require(actor, Permission.READ)
    name = " ".join(unicodedata.normalize("NFC", name).split(" ")).strip()
    problems = _problems(name, params)
    if not problems and _own(session, actor, screen, name) is not None:
        problems["name"] = (
            f"You already have a view named “{name}”. Choose another name, or open and change it."
        )
    if problems:
        raise InvalidInput(problems)
    values = {"name": name, "name_folded": fold(name), "params": params, "shared": shared}
    try:
        row = insert(VIEW).values(**values, screen=screen, owner=actor.username, created_at=at)
        view_id = session.execute(row).inserted_primary_key[0]
    except IntegrityError as error:  # the same person in another tab
        raise Conflict("You have just saved a view with this name. Choose another name.") from error
    audit(session, actor, "create", "view", view_id, at=at, screen=screen, shared=shared)
    return view_id


def change_view(
    session: Session,
    actor: Actor,
    view_id: int,
    *,
    params: dict[str, str] | None = None,
    shared: bool | None = None,
    at: datetime,
) -> None:
    """Let one of one's own views show something else, or share it or no longer. Raises NotFound."""
    require(actor, Permission.READ)
    given = {"params": params, "shared": shared}
    values = {key: value for key, value in given.items() if value is not None}
    if problems := _problems("-", params or {}):
        raise InvalidInput(problems)
    if not values:
        return
    changed = session.execute(update(VIEW).where(*_of(actor, view_id)).values(**values))
    if changed.rowcount != 1:
        raise _nobodys()
    audit(session, actor, "update", "view", view_id, at=at, fields=sorted(values))


def delete_view(session: Session, actor: Actor, view_id: int, *, at: datetime) -> None:
    """Delete one of one's own views; an admin may delete those that others share. Raises NotFound."""
    require(actor, Permission.READ)
    theirs = _of(actor, view_id)
    if actor.may(Permission.MANAGE_WORKSPACE):
        theirs = (VIEW.c.id == view_id, VIEW.c.shared | (VIEW.c.owner == actor.username))
    if session.execute(delete(VIEW).where(*theirs)).rowcount != 1:
        raise _nobodys()
    audit(session, actor, "delete", "view", view_id, at=at)


def _of(actor: Actor, view_id: int) -> tuple:
    return VIEW.c.id == view_id, VIEW.c.owner == actor.username


def _nobodys() -> NotFound:
    return NotFound("You have no such view. It may have been deleted; only its owner changes a shared one.")


def _own(session: Session, actor: Actor, screen: str, name: str) -> int | None:
    wanted = (VIEW.c.screen == screen, VIEW.c.owner == actor.username, VIEW.c.name_folded == fold(name))
    return session.scalar(select(VIEW.c.id).where(*wanted))


def _problems(name: str, params: dict[str, str]) -> dict[str, str]:
    problems = {}
    if not name:
        problems["name"] = "Give the view a name."
    elif has_unseen(name):
        problems["name"] = "The name contains control characters. Type it again instead of pasting it."
    elif len(name) > LONGEST_NAME or len(fold(name)) > 2 * LONGEST_NAME:
        problems["name"] = f"The name is too long. Use at most {LONGEST_NAME} characters."
    texts = [text for pair in params.items() for text in pair]
    if not all(isinstance(text, str) for text in texts) or "\0" in "".join(texts):
        problems["params"] = "A view holds the text of an address. Open the list again and save it then."
    elif len(json.dumps(params)) > _LONGEST_PARAMS:
        problems["params"] = "The filters are too long to be saved. Use fewer values."
    return problems
