"""Whether everything this workspace needs is there, each check with its remedy; and the settings."""

import json
from dataclasses import dataclass
from urllib.request import urlopen

from pydantic import SecretStr
from sqlalchemy import func, make_url, select
from sqlalchemy.exc import SQLAlchemyError

from ma.db import migrate
from ma.db.engine import Database, connect, forbidden, trouble
from ma.errors import MaError
from ma.events.broker import RedisBroker
from ma.events.modules import LISTENERS
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
    """Look at the database, its tables, the workspace, the event bus and the sign-in. Changes nothing."""
    database = connect(settings.database_url)
    where = _without_password(settings.database_url)
    try:
        migrate.require_current(database)
        found = [Check("database", True, where), _workspace(database), _subscribers(database)]
        waiting = backlog(database)
    except MaError as error:
        found, waiting = [Check("database", False, f"{where}: {error}")], 0
    except SQLAlchemyError as error:
        if not (told := trouble(error) or forbidden(error)):
            raise
        found, waiting = [Check("database", False, f"{where}: {told}")], 0
    finally:
        database.close()
    found.append(_bus(settings, waiting))
    return [*found, _company_sign_in(settings)] if settings.oidc_issuer else found


@dataclass(frozen=True)
class Setting:
    """A setting as it is now: secrets are hidden in `value`, which is None where nothing is set."""

    name: str
    value: str | None
    description: str


def listed(settings: Settings) -> list[Setting]:
    """Every setting with its value and what it does."""
    return [
        Setting(f"MA_{name.upper()}", _shown(getattr(settings, name)), field.description)
        for name, field in Settings.model_fields.items()
    ]


def _shown(value: object) -> str | None:
    if value is None or isinstance(value, SecretStr):
        return "***" if value else None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ", ".join(f"{key}={meaning}" for key, meaning in value.items()) or None
    return _without_password(str(value)) if "://" in str(value) else str(value)


def _without_password(url: str) -> str:
    parsed = make_url(url)
    secret = [key for key in parsed.query if "password" in key.lower()]
    return parsed.difference_update_query(secret).render_as_string(hide_password=True)


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


def _subscribers(database: Database) -> Check:
    with database.reading() as session:
        parked = [
            (module.name, count)
            for module in LISTENERS.values()
            if (count := session.scalar(select(func.count()).where(module.dead_letters.c.retry_at.is_(None))))
        ]
    if not parked:
        return Check("subscribers", True, "Every event could be acted on")
    counts = ", ".join(f"{name} {count:,}" for name, count in parked)
    remedy = "Look up their errors in the log, then: python -m ma events retry " + parked[0][0]
    return Check("subscribers", False, f"Given up on after five tries: {counts}. {remedy}")


def _bus(settings: Settings, waiting: int) -> Check:
    if not settings.redis_url:
        text = f"MA_REDIS_URL is not set: the app itself hands events over; {waiting:,} wait, nothing is lost"
        return Check("event bus", True, text)
    broker = RedisBroker(settings.redis_url)
    try:
        broker.ping()
    except MaError as error:
        return Check("event bus", False, f"{error} {waiting:,} events wait; nothing is lost")
    finally:
        broker.close()
    return Check("event bus", True, f"Redis answers; {waiting:,} events wait")


def _company_sign_in(settings: Settings) -> Check:
    """Whether the identity provider is where the settings say and calls itself so."""
    address = f"{settings.oidc_issuer}/.well-known/openid-configuration"
    try:
        with urlopen(address, timeout=5) as answer:
            issuer = json.load(answer)["issuer"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"nothing usable at {address} ({type(error).__name__})"
        return Check("company sign-in", False, f"There is {reason}. Check MA_OIDC_ISSUER and the network")
    if not isinstance(issuer, str) or issuer.rstrip("/") != settings.oidc_issuer:
        return Check(
            "company sign-in", False, f"The provider calls itself {issuer}. Set MA_OIDC_ISSUER to that"
        )
    back = f"{settings.address}/oauth2callback"
    return Check("company sign-in", True, f"{issuer} answers; it must know this redirect address: {back}")
