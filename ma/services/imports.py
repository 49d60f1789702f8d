"""Importing files: a dry run that only reads, then all of it in one transaction, and taking it back.

Six kinds: customers, purchases, events, consent, outcomes and totals of campaigns, each with a module of
its own.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from ma.db import search
from ma.errors import InvalidInput
from ma.events import outbox
from ma.events.messages import ImportApplied
from ma.files.columns import Target
from ma.files.reading import Sheet
from ma.models import ImportMapping, ImportRun
from ma.services import (
    import_campaign_undo,
    import_consent,
    import_customers,
    import_events,
    import_outcomes,
    import_people,
    import_plans,
    import_purchases,
    import_totals,
    import_undo,
)
from ma.services.audit import audit
from ma.services.import_campaigns import Options
from ma.services.import_plans import COUNTS, Cancelled, Done, Plan, Rows
from ma.services.permissions import require
from ma.types import Actor, Permission

__all__ = [
    "KINDS", "Cancelled", "Done", "Options", "Plan",
    "apply", "keys", "plan", "remembered", "settle", "targets", "undo",
]  # fmt: skip

RUN, MAPPING = ImportRun.__table__, ImportMapping.__table__
_FACTS = (import_customers, import_purchases, import_events, import_consent)
_KINDS = dict(zip(import_plans.KINDS, _FACTS, strict=True)) | {
    "outcomes": import_outcomes,
    "totals": import_totals,
}
KINDS = tuple(_KINDS)
_PREVIEW = 20
Progress = Callable[[float, str], object]


def targets(kind: str, session: Session) -> tuple[Target, ...]:
    """The fields that a file of this kind can fill; customers with the workspace's own and "tags"."""
    return _module(kind).targets(session)


def keys(kind: str) -> tuple[str, ...]:
    """What tells one thing of this kind from another, to choose one."""
    return {
        "customers": import_people.KEYS,
        "consent": import_people.KEYS,
        "purchases": ("order_key",),
        "events": import_events.KEYS,
        "outcomes": import_people.KEYS,
        "totals": import_totals.KEYS,
    }[_known(kind)]


def remembered(session: Session, kind: str, headers: Sequence[str]) -> dict[str, str] | None:
    """Which column was which field, the last time that a file with this header came in."""
    return session.scalar(
        select(MAPPING.c.mapping).where(
            MAPPING.c.kind == _known(kind), MAPPING.c.header_sha256 == _header_hash(headers)
        )
    )


def plan(
    session: Session,
    actor: Actor,
    kind: str,
    sheet: Sheet,
    *,
    mapping: dict[str, str],
    key: str,
    options: Options,
    at: datetime,
) -> Plan:
    """What importing a sheet would do; reads, writes nothing.

    `mapping`: target name -> header. `key`: one of `keys(kind)`. Raises InvalidInput for a mapping that is
    impossible; what is wrong with single rows is in the plan.
    """
    require(actor, Permission.IMPORT)
    module = _module(kind)
    known = module.targets(session)
    mapping = {name: header for name, header in mapping.items() if header}
    _check(kind, sheet, known, mapping, key)
    rows = Rows(sheet, known, mapping, options)
    status, work, changes, notes = module.plan(session, rows, key, options, at)
    counts = pd.Series(status).value_counts()
    rejected = rows.rejected()
    return Plan(
        kind=kind,
        key=key,
        counts={"rows": len(rows)} | {name: int(counts.get(name, 0)) for name in COUNTS[1:]},
        notes=notes,
        rejected=rejected,
        changes=changes,
        preview=_preview(rows, status),
        rejected_rows=rows.rejected_rows(rejected),
        file_name=sheet.name[:255],
        file_sha256=sheet.sha256,
        headers=tuple(sheet.frame.columns),
        mapping=mapping,
        options=options,
        at=at,
        work=work,
    )


def apply(
    session: Session,
    actor: Actor,
    plan: Plan,
    *,
    at: datetime,
    progress: Progress = lambda share, words: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Done:
    """Write a plan, all of it or (where this raises) nothing, in the caller's transaction.

    `progress` hears how much is done (0-1) and what is being done; `cancelled` is asked between parts.
    A plan without anything new or changed writes nothing. Raises Conflict when what the plan found in the
    database has changed since, and Cancelled.
    """
    require(actor, Permission.IMPORT)
    # Arrow keeps what planning gave back: a third of the memory of a large file.
    pa.default_memory_pool().release_unused()
    if not plan.writes:
        return Done(import_id=None, counts=plan.counts)

    def step(share: float, words: str) -> None:
        if cancelled():
            raise Cancelled("The import was cancelled. Nothing of it was kept.")
        progress(share, words)

    step(0.0, "Checking that nothing changed since the dry run")
    run_id = session.execute(
        insert(RUN).values(
            kind=plan.kind,
            file_name=plan.file_name,
            file_sha256=plan.file_sha256,
            counts=plan.counts,
            options=plan.options.words() | {"key": plan.key, "mapping": plan.mapping},
            actor=actor.username,
            at=at,
        )
    ).inserted_primary_key[0]
    more = _module(plan.kind).apply(session, actor, plan.work, run_id=run_id, at=at, step=step)
    counts = plan.counts | more
    session.execute(update(RUN).where(RUN.c.id == run_id).values(counts=counts))
    _remember(session, plan, at)
    audit(session, actor, "import", plan.kind, run_id, at=at, source=plan.options.source, **counts)
    event = ImportApplied(
        import_id=run_id, kind=plan.kind, new=plan.counts["new"], changed=plan.counts["changed"]
    )
    outbox.record(session, event, at=at)
    session.flush()
    step(1.0, "Saving")
    return Done(import_id=run_id, counts=counts)


def undo(
    session: Session, actor: Actor, import_id: int, *, at: datetime, raise_consent: bool = False
) -> dict[str, int]:
    """Take an import back, of whatever kind; how many campaigns, customers and so on it removed and kept.

    See import_undo. Raises NotFound, and Conflict when it has been taken back already.
    """
    require(actor, Permission.IMPORT)
    # Before people: whom no campaign names any more can go too.
    counts = import_campaign_undo.undo(session, import_id, at=at)
    return import_undo.undo(session, actor, import_id, at=at, raise_consent=raise_consent) | counts


def settle(session: Session) -> None:
    """After an import was committed: make searches as quick as before it."""
    search.settle(session)


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise InvalidInput({"kind": f"There is no import of '{kind}'. Use one of {', '.join(KINDS)}."})
    return kind


def _module(kind: str):
    return _KINDS[_known(kind)]


def _check(kind: str, sheet: Sheet, known: tuple[Target, ...], mapping: dict[str, str], key: str) -> None:
    problems = {}
    labels = {target.name: target.label for target in known}
    for name, header in mapping.items():
        if name not in labels:
            problems[name] = f"There is no field '{name}'. Use one of {', '.join(sorted(labels))}."
        elif header not in sheet.frame:
            problems[name] = f"The file has no column '{header}'. Choose one of its columns."
    if key not in keys(kind):
        problems["key"] = f"'{key}' is no key. Use one of {', '.join(keys(kind))}."
    needed = {target.name for target in known if target.required} | ({key} & labels.keys())
    for name in needed - mapping.keys():
        problems[name] = f"Choose the column that is '{labels[name]}'."
    for name, problem in _module(kind).mapping_problems(mapping).items():
        problems.setdefault(name, problem)
    if sheet.frame.empty:
        problems["file"] = "The file has no rows below its header. Choose another one."
    if problems:
        raise InvalidInput(problems)


def _preview(rows: Rows, status: np.ndarray) -> pd.DataFrame:
    """The first rows with the fields' names, and what would become of each."""
    shown = np.arange(min(len(rows), _PREVIEW))
    # Taken, not cut off: a slice would keep the whole file in memory.
    columns = {rows.targets[name].label: rows.texts(name).take(shown) for name in rows.targets}
    front = {"Row": rows.numbers(shown), "Result": status[shown]}
    return pd.DataFrame(front | columns)


def _header_hash(headers: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(headers).encode()).hexdigest()


def _remember(session: Session, plan: Plan, at: datetime) -> None:
    mine = {"kind": plan.kind, "header_sha256": _header_hash(plan.headers)}
    session.merge(ImportMapping(**mine, mapping=plan.mapping, at=at))
