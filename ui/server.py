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
from ma.db.engine import trouble
from ma.db.migrate import require_current
from ma.errors import MaError
from ma.services import auth
from ma.settings import settings
from ui import quick_widgets
from ui.errors import explain
from ui.session import database, reading

# What the first screen needs and takes seconds to load; loaded while the person looks for the browser.
HEAD_START_SECONDS = 6.0
_HEAVY = (
    "pandas",
    "plotly.graph_objects",
    "pyarrow.parquet",
    "ma.analytics.frames",
)


def prepare() -> None:
    """Create or migrate the database, and load the demo world into a new one where MA_DEMO says so."""
    from ma import setup

    try:
        done = setup.set_up(database(), settings(), demo=settings().demo, progress=setup.bar)
    except (MaError, SQLAlchemyError) as error:
        _refuse(_remedy(error))
    if done.created:
        click.echo(setup.words(done))


def require_ready() -> None:
    """End the program with one line that says what to do, unless it can serve this database."""
    try:
        require_current(database())
        with reading() as session:
            is_demo = workspace(session).is_demo
            production = settings().env == "production"
            demo_login = production and auth.has_demo_login(session)
    except (MaError, SQLAlchemyError) as error:
        _refuse(_remedy(error))
    if production and is_demo:
        _refuse(
            "This database holds the demo world, and MA_ENV is production. "
            "Use another database (MA_DATABASE_URL)."
        )
    if demo_login:
        _refuse(
            "Everybody knows the demo login, and MA_ENV is production. "
            f"Change the password of '{auth.DEMO_USERNAME}' or use another database (MA_DATABASE_URL)."
        )


def _remedy(error: Exception) -> str:
    return str(error) if isinstance(error, MaError) else trouble(error) or explain(error)


def _refuse(remedy: str) -> None:
    click.secho(remedy, err=True, fg="red")
    sys.exit(1)


def server_options() -> dict:
    """Where the server listens, and the names it answers to: those of config.toml and the setting's."""
    names = [name.strip() for name in settings().allowed_hosts.split(",") if name.strip()]
    return {
        "server.address": settings().host,
        "server.port": settings().port,
        "server.allowedHosts": [*st.config.get_option("server.allowedHosts"), *names],
    }


@contextlib.asynccontextmanager
async def lifespan(_app):
    """Start what works beside the screens, and stop it with them."""
    # The framework would log errors with their messages, which can hold names; ui.errors logs them without.
    logging.getLogger("streamlit.error_util").disabled = True
    quick_widgets.install()
    stop = threading.Event()
    worker = threading.Thread(target=_work, args=(stop,), daemon=True)
    announcement = asyncio.create_task(_announce(worker))
    try:
        yield {}
    finally:
        announcement.cancel()
        stop.set()
        if worker.is_alive():
            await asyncio.to_thread(worker.join, 5)


def _work(stop: threading.Event) -> None:
    """Load what the first screens need, then do the work beside them until `stop`."""
    _preload(("streamlit_authenticator",))
    # The sign-in form comes first: loading the rest at once would slow it down by seconds.
    if stop.wait(HEAD_START_SECONDS):
        return
    _preload(_HEAVY)
    jobs = [threading.Thread(target=run, args=(*arguments, stop), daemon=True) for run, arguments in _jobs()]
    for job in jobs:
        job.start()
    # Nobody looks at it: programs ask later, or wait for their first answer.
    _preload(("ma.api.app",))
    for job in jobs:
        job.join()


def _jobs():
    from ma import worker

    yield worker.run_forever, (database(),)
    url = settings().redis_url
    if url and not settings().events_inside:
        return
    from ma.events import relay
    from ma.events.modules import LISTENERS
    from ma.subscribers import deliveries, loop

    yield deliveries.run_forever, (database(),)
    if not url:
        yield loop.run_in_process, (database(),)
        return
    yield relay.run_forever, (database(), url)
    for name in LISTENERS:
        yield loop.run_forever, (database(), name, url)


def _preload(names: tuple[str, ...]) -> None:
    # Components that register themselves outside a screen make the framework warn, which means nothing here.
    warner = logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context")
    warner.disabled = True
    try:
        for name in names:
            importlib.import_module(name)
    finally:
        warner.disabled = False


async def _announce(worker: threading.Thread) -> None:
    """Once the app answers, say where, and only then start the work beside it: imports would delay it."""
    host = st.config.get_option("server.address") or "127.0.0.1"
    port = st.config.get_option("server.port")
    reachable = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    while True:
        with contextlib.suppress(OSError):
            _reader, writer = await asyncio.open_connection(reachable, port)
            writer.close()
            break
        await asyncio.sleep(0.1)
    worker.start()
    lines = [f"The workbench is at http://{reachable}:{port}"]
    if await asyncio.to_thread(_demo_login_is_open):
        lines.append(f"Demo login: {auth.DEMO_USERNAME} / {auth.DEMO_PASSWORD}")
    click.echo("\n" + "\n".join(f"  {line}" for line in lines) + "\n")


def _demo_login_is_open() -> bool:
    with reading() as session:
        return workspace(session).is_demo and auth.has_demo_login(session)
