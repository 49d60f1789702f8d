"""The database for the screens: one engine per process, a session per reading or writing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache

import streamlit as st
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics.workspace import WorkspaceInfo
from ma.analytics.workspace import workspace as read_workspace
from ma.db.engine import Database, connect
from ma.services import auth
from ma.settings import settings
from ma.types import Actor

COOKIE = auth.COOKIE

# One thread is enough: whoever was seen a moment ago is not written again.
_aside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="last-seen")


@lru_cache
def database() -> Database:
    """The database of this process."""
    return connect(settings().database_url)


@contextmanager
def reading() -> Iterator[Session]:
    """A session for selects; it sees one instant."""
    with database().reading() as session:
        yield session


@contextmanager
def writing() -> Iterator[Session]:
    """A session in one transaction: committed when the block ends, rolled back if it raises."""
    with database().writing() as session:
        yield session


def workspace() -> WorkspaceInfo:
    """The workspace: name, time zone, currency, demo clock."""
    with reading() as session:
        return read_workspace(session)


def now() -> datetime:
    """The present instant as the workspace sees it: real time, moved by the demo clock."""
    return workspace().now()


def token() -> str | None:
    """The session token that this browser tab brought along when it connected."""
    return st.context.cookies.get(COOKIE)


def signed_in() -> Actor | None:
    """Who is signed in, read from the database at this moment; None when the session has ended."""
    bearer = token()
    if not bearer:
        return None
    with reading() as session:
        return auth.session_actor(session, bearer, now=clock.now())


def seen() -> None:
    """Note that the person is active, at most once a minute and without making anybody wait."""
    bearer = token()
    if bearer:
        with reading() as session:
            due = auth.seen_is_due(session, bearer, now=clock.now())
        if due:
            _aside.submit(_note_seen, bearer)


def _note_seen(bearer: str) -> None:
    try:
        with writing() as session:
            auth.record_seen(session, bearer, now=clock.now())
    except OperationalError:
        # Somebody holds the lock for long: the next run notes it.
        pass
