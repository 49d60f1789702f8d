"""Refreshing all segments in the background of this process; how far it is stands in the database."""

from concurrent.futures import Future, ThreadPoolExecutor

from ma.log import log_error
from ma.services.refresh_runs import begin_run, carry_on
from ma.types import Actor
from ui import session as database

# The database lets one run be under way: a second thread would have nothing to do.
_worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="refresh-all")


def start(actor: Actor) -> Future:
    """Begin to refresh all segments; returns at once. Raises Conflict, naming who, when somebody does it."""
    at = database.now()
    with database.writing() as session:
        run_id = begin_run(session, actor, at=at)
    return _worker.submit(_work, database.database(), actor, run_id)


def _work(place, actor: Actor, run_id: int) -> None:
    try:
        for _ in carry_on(place, actor, run_id):
            pass
    except Exception as error:
        # Nobody waits for this thread: the run is dead after two minutes, and the log says why.
        log_error(error, doing=f"refresh of all segments {run_id}")
