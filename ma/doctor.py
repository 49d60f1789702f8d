"""Whether everything this workspace needs is there, each check with its remedy."""

from dataclasses import dataclass

from sqlalchemy import func, make_url, select

from ma.db import migrate
from ma.db.engine import Database, connect
from ma.errors import MaError
from ma.events.broker import RedisBroker
from ma.events.relay import backlog
from ma.models import Campaign, Customer, Segment, Workspace
from ma.settings import Settings


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: `text` says what was found, or the remedy."""

    name: str
    ok: bool
    text: str


def checks(settings: Settings) -> list[Check]:
    """Look at the database, its tables, the workspace and the event bus. Changes nothing."""
    where = make_url(settings.database_url).render_as_string(hide_password=True)
    database = connect(settings.database_url)
    try:
        migrate.require_current(database)
        found = [Check("database", True, where), _workspace(database)]
        waiting = backlog(database)
    except MaError as error:
        found, waiting = [Check("database", False, f"{where}: {error}")], 0
    finally:
        database.close()
    return [*found, _bus(settings, waiting), Check("settings", True, f"MA_ENV={settings.env}")]


def _workspace(database: Database) -> Check:
    with database.reading() as session:
        row = session.scalar(select(Workspace))
        if row is None:
            return Check("workspace", False, "There is none yet. Run: python -m ma init")
        counts = [session.scalar(select(func.count()).select_from(t)) for t in (Customer, Segment, Campaign)]
    kind = "demo world" if row.demo_loaded_at else "workspace"
    customers, segments, campaigns = counts
    text = f"{kind} in {row.timezone}, {row.currency}: {customers:,} customers, {segments} segments, "
    return Check("workspace", True, text + f"{campaigns} campaigns")


def _bus(settings: Settings, waiting: int) -> Check:
    if not settings.redis_url:
        text = f"MA_REDIS_URL is not set: {waiting:,} events wait in the database, nothing is lost"
        return Check("event bus", True, text)
    broker = RedisBroker(settings.redis_url)
    try:
        broker.ping()
    except MaError as error:
        return Check("event bus", False, f"{error} {waiting:,} events wait; nothing is lost")
    finally:
        broker.close()
    return Check("event bus", True, f"Redis answers; {waiting:,} events wait")
