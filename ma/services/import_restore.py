"""Customers as they were before an import, for taking it back."""

from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from ma.db import staging
from ma.models import Attribute, Customer, CustomerTag, ImportChange, ImportRun, Tag
from ma.services import attribute_fields, attributes, consent
from ma.services import customer_fields as fields
from ma.services import import_people as people
from ma.services import import_writing as writing
from ma.types import Actor

CUSTOMER, TAGGED = Customer.__table__, CustomerTag.__table__
RUN, CHANGE = ImportRun.__table__, ImportChange.__table__
UNDONE = "import undone"


def changes(session: Session, import_id: int, noun: str) -> tuple[pd.DataFrame, int]:
    """(object_id, before, version of what an import changed, how much a later import changed again)."""
    query = select(CHANGE.c.object_id, CHANGE.c.before, CHANGE.c.version).where(
        CHANGE.c.import_id == import_id, CHANGE.c.noun == noun
    )
    found = pd.DataFrame(session.execute(query).all(), columns=["object_id", "before", "version"])
    found["object_id"] = found["object_id"].astype("int64")
    mine = found[~found["object_id"].isin(later(session, import_id, noun))]
    return mine.sort_values("object_id", ignore_index=True), len(found) - len(mine)


def later(session: Session, import_id: int, noun: str) -> pd.Series:
    """What later imports changed that were not taken back."""
    query = (
        select(CHANGE.c.object_id)
        .join(RUN, RUN.c.id == CHANGE.c.import_id)
        .where(CHANGE.c.noun == noun, CHANGE.c.import_id > import_id, RUN.c.undone_at.is_(None))
    )
    return staging.rows(session, query)["object_id"]


def unchanged_versions(since: int):
    """A select of object_id and version: which version of customers came from imports after `since` alone.

    Only those that were taken back, and the one after `since` itself: who has another version by now was
    changed by somebody else, or by an import that stands.
    """
    return (
        select(CHANGE.c.object_id, func.max(CHANGE.c.version).label("version"))
        .join(RUN, RUN.c.id == CHANGE.c.import_id)
        .where(CHANGE.c.noun == "customer", CHANGE.c.import_id > since, RUN.c.undone_at.is_not(None))
        .group_by(CHANGE.c.object_id)
    )


def customers(session: Session, actor: Actor, run, *, at: datetime, raise_consent: bool) -> dict[str, int]:
    """Give the customers whom an import changed what they had before; counts."""
    before, kept = changes(session, run.id, "customer")
    names = fields.ALL
    query = select(CUSTOMER.c.id, CUSTOMER.c.version, *(CUSTOMER.c[name] for name in names)).where(
        CUSTOMER.c.deleted_at.is_(None)
    )
    now = staging.by_id(session, query, CUSTOMER.c.id, before["object_id"]).set_index("id")
    expected = staging.rows(session, unchanged_versions(run.id - 1)).set_index("object_id")["version"]
    same = (now["version"] == expected.reindex(now.index)).fillna(False).to_numpy(dtype=bool)
    now, held = now[same], before.set_index("object_id")["before"].reindex(now.index)[same]
    after, consents = _values(now, held, raise_consent)
    blocked = _blocked(session, now, after)
    now, after, held = now[~blocked], after[~blocked], held[~blocked]
    frame = after.rename_axis("id").reset_index()
    writing.change_customers(session, writing.with_derived(frame), run_id=None, at=at)
    _keep_versions(session, run.id, frame)
    flags = [*fields.FLAGS]
    changed = consent.differences(
        now[flags].rename_axis("customer_id").reset_index(),
        after[flags].rename_axis("customer_id").reset_index(),
    )
    consent.record_changes(session, actor, changed, at=at, source=UNDONE, import_id=run.id)
    _remove_tags(session, held, run)
    _restore_values(session, held, at)
    return {
        "customers_restored": len(after),
        "customers_kept": len(before) - len(after) + kept,
        "consent_raised": int(changed["allowed"].sum()),
        "consent_withdrawn": int((~changed["allowed"].astype(bool)).sum()),
        "consent_not_raised": int(consents[~blocked].sum()),
    }


def _keep_versions(session: Session, run_id: int, restored: pd.DataFrame) -> None:
    """Their version after it was taken back, so that an earlier import can be taken back too."""
    if restored.empty:
        return
    versions = restored[["id"]].assign(version=restored["version"] + 1)
    with staging.staged(session, versions, {"id": CUSTOMER.c.id, "version": CUSTOMER.c.version}) as new:
        session.execute(
            update(CHANGE)
            .where(CHANGE.c.import_id == run_id, CHANGE.c.noun == "customer", CHANGE.c.object_id == new.c.id)
            .values(version=new.c.version)
        )


def _values(now: pd.DataFrame, held: pd.Series, raise_consent: bool) -> tuple[pd.DataFrame, pd.Series]:
    """(customers with their earlier values, by customer how many consents stay withdrawn)."""
    after, not_raised = now.copy(), pd.Series(0, index=now.index)
    for name in fields.ALL:
        has = np.array([name in row for row in held], dtype=bool)
        if not has.any():
            continue
        was = pd.Series([row.get(name) for row in held], index=now.index, dtype=object)
        if name in fields.FLAGS:
            up = has & was.fillna(False).to_numpy(dtype=bool) & ~now[name].to_numpy(dtype=bool)
            if not raise_consent:
                not_raised += up
                has = has & ~up
        if name in fields.DATES:
            was = pd.to_datetime(was).astype("datetime64[us]")
        after[name] = now[name].where(~has, was.astype(now[name].dtype))
    return after, not_raised


def _blocked(session: Session, now: pd.DataFrame, after: pd.DataFrame) -> np.ndarray:
    """Whose earlier address or id somebody else has taken."""
    blocked = np.zeros(len(now), dtype=bool)
    owner = pd.Series(now.index, index=now.index, dtype="Int64")
    for key in ("external_id", "email"):
        wanted = people.comparable(key, after[key])
        blocked |= people.taken(session, key, wanted.where(after[key] != now[key]), owner).to_numpy(
            dtype=bool
        )
    return blocked


def _remove_tags(session: Session, held: pd.Series, run) -> None:
    """Take off the tags that the import put on."""
    put = pd.Series([row.get("tags") for row in held], index=held.index, dtype=object).dropna().explode()
    if put.empty:
        return
    known = dict(session.execute(select(Tag.name, Tag.id)).all())
    ids = put.map(_by_fold(known))
    for tag_id, mine in ids.dropna().groupby(ids):
        people_ids = pd.DataFrame({"id": np.sort(mine.index.to_numpy())})
        with staging.staged(session, people_ids, {"id": CUSTOMER.c.id}) as tagged:
            session.execute(
                delete(TAGGED).where(
                    TAGGED.c.tag_id == int(tag_id),
                    TAGGED.c.at == run.at,
                    TAGGED.c.customer_id.in_(select(tagged.c.id)),
                )
            )


def _by_fold(known: dict[str, int]):
    from ma.text import fold

    folded = {fold(name): tag_id for name, tag_id in known.items()}
    return lambda name: folded.get(fold(name))


def _restore_values(session: Session, held: pd.Series, at: datetime) -> None:
    """Give own fields the values they had."""
    for attribute in session.execute(select(Attribute.id, Attribute.kind)).all():
        name = f"attribute:{attribute.id}"
        mine = held[np.array([name in row for row in held], dtype=bool)]
        if mine.empty:
            continue
        was = pd.Series([row[name] for row in mine], index=mine.index, dtype=object)
        clean, _ = attribute_fields.clean_series(attribute.kind, (), was)
        frame = pd.DataFrame({"customer_id": mine.index.to_numpy(), "attribute_id": attribute.id})
        frame["value"] = clean.to_numpy()
        attributes.write_values(session, frame, at=at)
