"""What runs around the screens: checks before the start, work beside them, a line when they are up."""

import asyncio
import contextlib
import importlib
import logging
import sys
import threading

import click
import streamlit as st
from sqlalchemy.exc import SQLAlchemyError

from ma.analytics.workspace import workspace
from ma.db.migrate import require_current
from ma.errors import MaError
from ma.services import auth
from ma.settings import settings
from ui.session import database, reading

# What the first screen needs and takes seconds to load; loaded while the person looks for the browser.
_HEAVY = (
    "pandas",
    "pyarrow.parquet",
    "plotly.graph_objects",
    "streamlit_authenticator",
    "ma.analytics.frames",
)


def require_ready() -> None:
    """End the program with one line that says what to do, unless it can serve this database."""
    try:
        require_current(database())
        with reading() as session:
            workspace(session)
            demo_login = settings().env == "production" and auth.has_demo_login(session)
    except MaError as error:
        _refuse(str(error))
    except SQLAlchemyError:
        _refuse("The database cannot be read. Check MA_DATABASE_URL.")
    if demo_login:
        _refuse(
            "Everybody knows the demo login, and MA_ENV is production. "
            f"Change the password of '{auth.DEMO_USERNAME}' or use another database (MA_DATABASE_URL)."
        )


def _refuse(remedy: str) -> None:
    click.secho(remedy, err=True, fg="red")
    sys.exit(1)


@contextlib.asynccontextmanager
async def lifespan(_app):
    """Start what works beside the screens, and stop it with them."""
    # The framework would log errors with their messages, which can hold names; ui.errors logs them without.
    logging.getLogger("streamlit.error_util").disabled = True
    stop = threading.Event()
    workers = [threading.Thread(target=_preload, daemon=True)]
    workers += [
        threading.Thread(target=run, args=(*arguments, stop), daemon=True) for run, arguments in _jobs()
    ]
    for worker in workers:
        worker.start()
    announcement = asyncio.create_task(_announce())
    try:
        yield {}
    finally:
        announcement.cancel()
        stop.set()
        for worker in workers[1:]:
            await asyncio.to_thread(worker.join, 5)


def _jobs():
    from ma import worker

    yield worker.run_forever, (database(),)
    if settings().redis_url:
        from ma.events import relay

        yield relay.run_forever, (database(), settings().redis_url)


def _preload() -> None:
    # Components that register themselves outside a screen make the framework warn, which means nothing here.
    warner = logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context")
    warner.disabled = True
    try:
        for name in _HEAVY:
            importlib.import_module(name)
    finally:
        warner.disabled = False


async def _announce() -> None:
    """Say where the app is, once it answers there."""
    host = st.config.get_option("server.address") or "127.0.0.1"
    port = st.config.get_option("server.port")
    reachable = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    while True:
        with contextlib.suppress(OSError):
            _reader, writer = await asyncio.open_connection(reachable, port)
            writer.close()
            break
        await asyncio.sleep(0.1)
    lines = [f"The workbench is at http://{reachable}:{port}"]
    if await asyncio.to_thread(_demo_login_is_open):
        lines.append(f"Demo login: {auth.DEMO_USERNAME} / {auth.DEMO_PASSWORD}")
    click.echo("\n" + "\n".join(f"  {line}" for line in lines) + "\n")


def _demo_login_is_open() -> bool:
    with reading() as session:
        return workspace(session).is_demo and auth.has_demo_login(session)
