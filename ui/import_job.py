"""Imports between their dry run and their end, in this process: one per person, one writing at a time.

They outlive a rerun and a reload: the address of the screen holds the id. Only whoever made the dry run
sees, starts or cancels it.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_urlsafe

from ma.errors import Exposed, NotFound
from ma.services import imports
from ma.types import Actor
from ui import session as database
from ui.errors import explain

CHECKED, WAITING, RUNNING, DONE, FAILED, CANCELLED = (
    "checked",
    "waiting",
    "running",
    "done",
    "failed",
    "cancelled",
)
_UNDER_WAY = (WAITING, RUNNING)

# One at a time: the database has one writer, and a second would only wait for it.
_writers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="import")
_jobs: dict[str, "Job"] = {}
_lock = threading.Lock()


@dataclass
class Job:
    """One file on its way. The thread that writes sets the state; screens read it."""

    actor: Actor
    plan: imports.Plan | None
    # What it was made from: when a choice changes, the dry run no longer says what would happen.
    choices: object = None
    id: str = field(default_factory=lambda: token_urlsafe(12))
    state: str = CHECKED
    share: float = 0.0
    words: str = ""
    done: imports.Done | None = None
    problem: str = ""
    kind: str = ""
    file_name: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def under_way(self) -> bool:
        """Whether it is being written, or waits for that."""
        return self.state in _UNDER_WAY

    @property
    def cancelling(self) -> bool:
        """Whether somebody has asked it to stop."""
        return self._stop.is_set()

    def start(self, actor: Actor) -> None:
        """Begin to write in the background, as the person is now; a second click does nothing."""
        with _lock:
            if self.state != CHECKED:
                return
            self.actor = actor
            self.state, self.words = WAITING, "Waiting for another import to end"
        _writers.submit(self._write)

    def cancel(self) -> None:
        """Ask it to stop; nothing of it will be kept."""
        self._stop.set()

    def _progress(self, share: float, words: str) -> None:
        self.share, self.words = min(max(share, 0.0), 1.0), words

    def _write(self) -> None:
        self.state, self.words = RUNNING, "Starting"
        try:
            at = database.now()
            with database.writing() as session:
                done = imports.apply(
                    session,
                    self.actor,
                    self.plan,
                    at=at,
                    progress=self._progress,
                    cancelled=self._stop.is_set,
                )
            self.done, self.state = done, DONE
        except imports.Cancelled:
            self.state = CANCELLED
        except Exposed as error:
            self.problem, self.state = str(error), FAILED
        except Exception as error:
            self.problem, self.state = explain(error), FAILED
        finally:
            if self.state == DONE:
                # Only what is refused may still be asked for; the rest would stay in memory.
                self.plan = _without_work(self.plan)
                # It is imported, whatever happens here.
                with suppress(Exception), database.reading() as session:
                    imports.settle(session)


def check(actor: Actor, plan: imports.Plan, choices: object) -> Job:
    """Keep a dry run for its person; their older ones, if they are not under way, are forgotten."""
    job = Job(actor, plan, choices, kind=plan.kind, file_name=plan.file_name, counts=dict(plan.counts))
    with _lock:
        for old in [job_id for job_id, one in _jobs.items() if _owner(one.actor) == _owner(actor)]:
            if not _jobs[old].under_way:
                del _jobs[old]
        _jobs[job.id] = job
    return job


def find(actor: Actor, job_id: str | None) -> Job | None:
    """A person's own job; None where it is gone, or somebody else's."""
    job = _jobs.get(job_id or "")
    return job if job and _owner(job.actor) == _owner(actor) else None


def forget(job: Job) -> None:
    """Let go of a job that is not under way."""
    with _lock:
        if not job.under_way:
            _jobs.pop(job.id, None)


def rejected_rows(actor: Actor, job_id: str):
    """The rows that a dry run refused, as they stood in the file. Raises NotFound."""
    job = find(actor, job_id)
    if job is None or job.plan is None:
        raise NotFound("This dry run is over. Choose the file again.")
    return job.plan.rejected_rows


def _owner(actor: Actor) -> object:
    return actor.user_id or actor.username


def _without_work(plan: imports.Plan) -> imports.Plan:
    from dataclasses import replace

    return replace(plan, work=None)
