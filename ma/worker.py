"""Work that happens by itself: scheduled launches, waves, completions, profile figures, scores, segments, and
telling other modules what people did.

Several processes may run it at once: everything it does is guarded in the database.
"""

import threading
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from ma import clock
from ma.analytics import refresh_runs as runs
from ma.analytics.value_models import UNFIT
from ma.analytics.workspace import workspace
from ma.db.engine import Database
from ma.errors import Conflict
from ma.log import log_error
from ma.models import Customer, ValueModel
from ma.services import outcome_events
from ma.services.due import Due, carry_out, due
from ma.services.profiles import rebuild_profiles
from ma.services.refresh_runs import Progress, refresh_all
from ma.types import SYSTEM

EVERY_SECONDS = 5.0
PROFILES_EVERY = timedelta(hours=1)
SCORES_EVERY = timedelta(hours=24)
# After a failure, and while there is too little to learn from: soon there may be enough.
SCORES_AGAIN = timedelta(hours=1)
# Profiles are rebuilt so many ids at a time, so that nobody waits long for the lock.
_RANGE = 50_000


def run_forever(database: Database, stop: threading.Event) -> None:
    """Do what is due every few seconds until `stop` is set. Errors are logged, and it goes on."""
    profiled_at = scores_due = last_problem = None
    while not stop.is_set():
        try:
            tick(database)
            tell_outcomes(database)
            profiled_at = refresh_profiles(database, since=profiled_at)
            # First the scores: segments may be made of them.
            scores_due = refresh_scores(database, due=scores_due)
            refresh_segments(database, stop=stop)
            last_problem = None
        except Exception as problem:
            # The same trouble every five seconds is told once, in full.
            if repr(problem) != last_problem:
                log_error(problem, doing="scheduled work")
            last_problem = repr(problem)
        stop.wait(EVERY_SECONDS)


def tick(database: Database, *, at: datetime | None = None) -> list[Due]:
    """Do everything that is due, each in a transaction of its own; what was done.

    One that fails is logged and left for the next time; the others go on.
    """
    done: list[Due] = []
    tried: set[Due] = set()
    while True:
        with database.reading() as session:
            now = at or workspace(session).now()
            items = [item for item in due(session, at=now) if item not in tried]
        if not items:
            return done
        item = items[0]
        tried.add(item)
        try:
            with database.writing() as session:
                if carry_out(session, item):
                    done.append(item)
        except Exception as problem:
            log_error(problem, doing=f"{item.kind} of campaign {item.campaign_id}")


def tell_outcomes(database: Database, *, at: datetime | None = None) -> int:
    """Tell other modules what people did with simulated campaigns since the last time; of how many steps.

    Each wave in a transaction of its own.
    """
    total, told = 0, True
    while told:
        with database.reading() as session:
            now = at or workspace(session).now()
            tellings = outcome_events.prepare(session, at=now)
            told = sum(_tell(database, telling, now) for telling in tellings)
        total += told
    return total


def _tell(database: Database, telling: outcome_events.Telling, at: datetime) -> int:
    try:
        with database.writing() as session:
            return telling.steps if outcome_events.publish(session, telling, at=at) else 0
    except IntegrityError:
        # Another process has told of it at this moment.
        return 0


def refresh_profiles(
    database: Database, *, since: datetime | None = None, at: datetime | None = None
) -> datetime | None:
    """Rebuild all profile figures if the newest are an hour old; from when they are now, None without people.

    `since` is what this returned the last time: it saves a look at every customer. When the demo clock
    was moved, the figures are at once older than an hour.
    """
    with database.reading() as session:
        now = at or workspace(session).now()
        if since is None:
            since = session.scalar(select(func.max(Customer.profiled_at)))
        if since is not None and now - since < PROFILES_EVERY:
            return since
        last_id = session.scalar(select(func.max(Customer.id)))
    if last_id is None:
        return None
    for first in range(1, last_id + 1, _RANGE):
        with database.writing() as session:
            rebuild_profiles(session, as_of=now, customer_ids=range(first, first + _RANGE))
    return now


def refresh_scores(
    database: Database, *, due: datetime | None = None, at: datetime | None = None
) -> datetime | None:
    """Score the customers if their scores are a day old; when to look again, None without people.

    `due` is what this returned the last time: it saves a look at the database, and a failure is not repeated
    every few seconds. When the demo clock was moved by a day, they are due at once.
    """
    with database.reading() as session:
        now = at or workspace(session).now()
        if due is not None and now < due:
            return due
        newest = session.execute(
            select(ValueModel.as_of, ValueModel.status).order_by(ValueModel.id.desc()).limit(1)
        ).one_or_none()
        if newest is not None:
            due = newest.as_of + (SCORES_AGAIN if newest.status == UNFIT else SCORES_EVERY)
            if now < due:
                return due
        if session.scalar(select(Customer.id).limit(1)) is None:
            return None
    # Loaded here: what fits models takes a second to load, for which no start should wait.
    from ma.services import scoring

    try:
        scoring.score_customers(database, SYSTEM, at=now)
    except Conflict:
        # Another process was quicker.
        return None
    except Exception as problem:
        log_error(problem, doing="scoring of customers")
    return now + SCORES_AGAIN


def refresh_segments(
    database: Database, *, stop: threading.Event | None = None, at: datetime | None = None
) -> Progress | None:
    """Refresh all segments when the oldest refresh is six hours old; how that ended, None if nothing was due.

    Each is a transaction of its own: broken off or killed, the next call begins anew. Campaigns that become
    due meanwhile do not wait for the end.
    """
    with database.reading() as session:
        now = at or workspace(session).now()
        if not runs.is_due(session, at=now, now=clock.now()):
            return None
    progress, moment = None, {} if at is None else {"at": at}
    try:
        for progress in (run := refresh_all(database, SYSTEM, at=now)):
            if stop is not None and stop.is_set():
                run.close()
                break
            if not progress.ended:
                tick(database, **moment)
    except Conflict:
        # Another process has begun a moment ago.
        return None
    return progress
