"""Setting up a workspace: tables, and on the first run its first user or the demo world."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_urlsafe

from ma import clock
from ma.db import migrate
from ma.db.engine import Database
from ma.errors import Conflict
from ma.services.workspace import create_workspace, has_workspace
from ma.settings import Settings
from ma.types import SYSTEM, Role

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Setup:
    """What a set-up did; `password` is that of the first user `admin`, known only here."""

    created: bool
    demo: bool = False
    password: str | None = None


def set_up(database: Database, settings: Settings, *, demo: bool, progress: Progress) -> Setup:
    """Create or migrate the tables, and give a database without a workspace one.

    The demo world goes only into a database that has no workspace yet, and never in production.
    """
    migrate.upgrade(database)
    with database.reading() as session:
        if has_workspace(session):
            return Setup(created=False)
    if demo and settings.env != "production":
        load_demo(database, settings, progress=progress)
        return Setup(created=True, demo=True)
    from ma.services.auth import create_user

    given = settings.admin_password.get_secret_value() if settings.admin_password else None
    password, at = given or token_urlsafe(15), clock.now()
    with database.writing() as session:
        create_workspace(
            session, SYSTEM, name="Workspace", timezone=settings.timezone, currency=settings.currency, at=at
        )
        create_user(
            session, SYSTEM, username="admin", name="Admin", role=Role.ADMIN, password=password, at=at
        )
    return Setup(created=True, password=None if given else password)


def load_demo(database: Database, settings: Settings, *, progress: Progress) -> dict:
    """Load the demo world into a migrated database without a workspace; what was loaded, as counts.

    Raises Conflict in production and where there is a workspace.
    """
    if settings.env == "production":
        raise Conflict("The demo world is never loaded where MA_ENV=production.")
    with database.reading() as session:
        if has_workspace(session):
            raise Conflict("This database holds a workspace already. Set MA_DATABASE_URL to a new one.")
    from ma.demo import load

    return load(database, now=clock.now(), progress=progress)


def words(done: Setup) -> str:
    """What a person needs to know after a set-up."""
    if not done.created:
        return "The database is up to date."
    if done.demo:
        return "The demo world is loaded. Sign in as admin / admin123."
    if done.password:
        return f"The workspace is ready. Sign in as admin / {done.password} (shown only now)."
    return "The workspace is ready. Sign in as admin with the password in MA_ADMIN_PASSWORD."


def bar(share: float, doing: str) -> None:
    """Show progress on the error stream: one line that grows on a terminal, a few lines in a log."""
    shown = f"  {'█' * round(share * 30):<30} {share:4.0%}  {doing:<40}"
    if sys.stderr.isatty():
        print(shown, end="\n" if share >= 1 else "\r", file=sys.stderr, flush=True)  # noqa: T201
    elif round(share * 100) % 10 == 0:
        print(shown.rstrip(), file=sys.stderr, flush=True)  # noqa: T201
