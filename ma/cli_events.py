"""Events on the command line: `python -m ma relay`, `… subscribe`, `… events …`."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from ma import clock
from ma.errors import Conflict, NotFound
from ma.settings import ROOT, settings
from ma.terminal import Json, answer, open_database, say, say_frame

# So long one relay waits for another one that is at work.
_PATIENCE_SECONDS = 30.0
ModuleName = Literal["ma", "sales", "service", "webhooks"]
Alive = Annotated[
    Path | None, typer.Option(help="Touch this file all the time: whoever watches sees that it works.")
]


def register(app: typer.Typer, events: typer.Typer) -> None:
    """Add the commands of this module to the program and to `events`."""
    app.command("relay")(relay)
    app.command("subscribe")(subscribe)
    for name, command in (("status", status), ("retry", retry), ("schemas", schemas)):
        events.command(name)(command)


def relay(
    once: Annotated[bool, typer.Option(help="Send what waits now, then stop.")] = False,
    alive: Alive = None,
    as_json: Json = False,
) -> None:
    """Send recorded events to Redis (MA_REDIS_URL), until stopped."""
    from ma.events import relay as relays
    from ma.events.broker import RedisBroker

    if as_json and not once:
        raise typer.BadParameter(
            "It needs --once beside it; without, the relay runs until it is stopped.", param_hint="--json"
        )
    url = _bus()
    with open_database() as database:
        if not once:
            say("Sending events to crm_events. Stop with Ctrl+C.")
            _until_stopped(lambda stop: relays.run_forever(database, url, stop), alive)
            return
        sent, broker, end = 0, RedisBroker(url), time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end and relays.backlog(database):
            batch = relays.relay_once(database, broker, at=clock.now())
            sent += batch
            if not batch:
                time.sleep(0.05)
        broker.close()
        answer({"sent": sent}, as_json, f"{sent:,} events sent.")


def subscribe(
    module: Annotated[ModuleName, typer.Argument(help="Whose events to act on.")],
    alive: Alive = None,
) -> None:
    """Act for a module on the events that come over Redis (MA_REDIS_URL), until stopped.

    For webhooks it also sends what waits for them.
    """
    from ma.subscribers import deliveries
    from ma.subscribers.loop import run_forever

    url = _bus()
    with open_database() as database:
        say(f"{module} listens to crm_events. Stop with Ctrl+C.")

        def work(stop: threading.Event) -> None:
            if module == "webhooks":
                threading.Thread(target=deliveries.run_forever, args=(database, stop), daemon=True).start()
            run_forever(database, module, url, stop)

        _until_stopped(work, alive)


def status(as_json: Json = False) -> None:
    """How far each subscriber is, and what it could not act on."""
    from ma.analytics.activity import subscribers

    with open_database() as database, database.reading() as session:
        say_frame(subscribers(session, as_of=clock.now()), as_json)


def retry(
    module: Annotated[ModuleName, typer.Argument(help="Whose parked events to try again.")],
    event_id: Annotated[str | None, typer.Option("--event", help="Only this one.")] = None,
    as_json: Json = False,
) -> None:
    """Give events that a subscriber has given up on five more tries."""
    from ma.subscribers.dead_letters import retry_parked
    from ma.types import SYSTEM

    with open_database() as database, database.writing() as session:
        count = retry_parked(session, SYSTEM, module, event_id=event_id, at=clock.now())
        if event_id and not count:
            raise NotFound(f"There is no parked event {event_id} in {module}.")
    answer({"events": count}, as_json, f"{count:,} events are tried again.")


def schemas(
    out: Annotated[Path, typer.Option(help="The folder to write them to.")] = ROOT / "docs" / "events",
    as_json: Json = False,
) -> None:
    """Write a JSON Schema of every message."""
    from ma.events.schemas import write

    changed = write(out)
    answer({"changed": changed}, as_json, "\n".join(changed) or "All are up to date.")


def _bus() -> str:
    url = settings().redis_url
    if not url:
        raise Conflict("MA_REDIS_URL is not set: without it the app itself hands events to its subscribers.")
    return url


class _Stop(threading.Event):
    """Whether to stop, which is asked in each round: a process that hangs leaves its file as it is."""

    def __init__(self, alive: Path | None):
        super().__init__()
        self._alive = alive

    def is_set(self) -> bool:
        if self._alive:
            self._alive.touch()
        return super().is_set()


def _until_stopped(work: Callable[[threading.Event], None], alive: Path | None) -> None:
    """Work until Ctrl+C or a polite signal: what is begun is finished."""
    stop = _Stop(alive)
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        work(stop)
    except KeyboardInterrupt:
        stop.set()
    finally:
        signal.signal(signal.SIGTERM, before)
