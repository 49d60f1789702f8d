"""Saved views of a list: a person's own, and those that others share."""

from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from ma.analytics.frames import read
from ma.errors import NotFound
from ma.models import SavedView


@dataclass(frozen=True)
class View:
    """One view: a list's address parameters under a name."""

    view_id: int
    name: str
    owner: str
    shared: bool
    params: dict[str, str]


def views(session: Session, *, screen: str, owner: str) -> pd.DataFrame:
    """The views somebody may open on a screen: their own by name, then those that others share.

    One row each: view_id, name, owner, shared, own, params (address parameters).
    """
    own = (SavedView.owner == owner).label("own")
    rows = _visible(screen, owner).add_columns(own)
    frame = read(session, rows.order_by(own.desc(), SavedView.name_folded, SavedView.id))
    types = {"view_id": "int64", "name": "str", "owner": "str", "shared": "bool", "own": "bool"}
    return frame.astype(types)


def view(session: Session, view_id: int, *, screen: str, owner: str) -> View:
    """One view that somebody may open. Raises NotFound."""
    row = session.execute(_visible(screen, owner).where(SavedView.id == view_id)).one_or_none()
    if row is None:
        raise NotFound("This view was deleted, or its owner does not share it. Choose another one.")
    return View(**row._mapping)


def _visible(screen: str, owner: str) -> Select:
    return select(
        SavedView.id.label("view_id"), SavedView.name, SavedView.owner, SavedView.shared, SavedView.params
    ).where(SavedView.screen == screen, or_(SavedView.owner == owner, SavedView.shared))
