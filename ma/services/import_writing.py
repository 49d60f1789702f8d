"""Customers of an import: compared with those who are there, added and changed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import update
from sqlalchemy.orm import Session

from ma.db import bulk, sequences, staging
from ma.db.filling import filling
from ma.errors import Conflict
from ma.models import Customer, ImportChange
from ma.services import consent
from ma.services.customers import split_bucket
from ma.services.import_derived import SEARCHED, derived
from ma.services.import_people import CHANGED_SINCE
from ma.services.import_plans import DRY_RUN_AGAIN, TEXT, Rows
from ma.types import Actor

CUSTOMER, CHANGE = Customer.__table__, ImportChange.__table__
# Rows written between two looks at whether somebody cancelled.
CHUNK = 25_000


@dataclass(frozen=True)
class Compared:
    """What some rows would change: see `compare`."""

    changed: pd.DataFrame
    matched: pd.DataFrame
    consent: pd.DataFrame
    changes: pd.DataFrame
    raised: int
    lowered: int


def with_derived(frame: pd.DataFrame) -> pd.DataFrame:
    """Customers with their folded copies and search text."""
    return pd.concat([frame, derived(frame)], axis=1)


def compare(
    rows: Rows, part: pd.DataFrame, current: pd.DataFrame, more: pd.DataFrame, *, raise_consent: bool
) -> Compared:
    """Customers as a file has them (id and fields, by position in it) against those in the database.

    An empty cell changes nothing. `more`: what changes beside the columns (see import_extras). The result's
    `changed` holds the customers' new values and `before`, the old ones as JSON; `changes` is the diff.
    """
    now = current.set_index("id").loc[part["id"]].set_axis(part.index)
    fields = [name for name in part if name != "id"]
    after, diffs, befores, touched = now.copy(), [], [], np.zeros(len(part), dtype=bool)
    consents, raises, lowers = [], np.zeros(len(part), dtype=bool), np.zeros(len(part), dtype=bool)
    for name in fields:
        old, new = now[name], part[name]
        differs = (new.notna() & (old.isna() | (new != old).fillna(False))).to_numpy(dtype=bool)
        if name.startswith("consent_"):
            up = differs & new.fillna(False).to_numpy(dtype=bool)
            raises |= up
            lowers |= differs & ~up
            if not raise_consent:
                differs &= ~up
            consents.append(
                pd.DataFrame(
                    {"customer_id": part["id"][differs], "allowed": new[differs].astype(bool)}
                ).assign(channel=name.removeprefix("consent_"))
            )
        after[name] = new.where(differs, old)
        touched |= differs
        befores.append(json_piece(name, old, differs))
        diffs.append(_diff(rows, part["id"], name, old, new, differs))
    if len(more):
        extra = more.assign(place=part.index.get_indexer(more["position"]))
        touched[extra["place"]] = True
        befores += [_extra_piece(group, len(part)) for _, group in extra.groupby("name")]
        diffs.append(
            extra.assign(row=rows.numbers(extra["position"]), customer=extra["id"], field=extra["label"])[
                ["row", "customer", "field", "before", "after"]
            ]
        )
    changed = after[touched].assign(id=part["id"][touched], before=json_objects(befores, len(part))[touched])
    if set(fields) & set(SEARCHED):
        changed = with_derived(changed)
    return Compared(
        changed=changed,
        matched=pd.DataFrame({"id": part["id"], "version": now["version"].astype("int64")}),
        consent=_together(consents, part).assign(place=pd.NA),
        changes=pd.concat(diffs, ignore_index=True),
        raised=int(raises.sum()),
        lowered=int(lowers.sum()),
    )


def add_customers(
    session: Session, added: pd.DataFrame, *, run_id: int | None, at: datetime, step=lambda *_: None
) -> np.ndarray:
    """Insert new customers, fields and derived columns given; returns their ids in order."""
    ids = sequences.reserve(session, CUSTOMER, len(added))
    # Somebody who has done nothing yet has an engagement of 0, not an unknown one.
    known = {
        "version": 1, "orders": 0, "spend_minor": 0, "visits": 0, "engagement": 0.0, "import_id": run_id,
    } | dict.fromkeys(("created_at", "updated_at", "profiled_at"), pd.Timestamp(at))  # fmt: skip
    with filled(session, CUSTOMER, len(added)):
        for start in range(0, len(added), CHUNK):
            step(0.6 * start / len(added), f"Adding customers: {start:,} of {len(added):,}")
            mine = ids[start : start + CHUNK]
            part = added.iloc[start : start + CHUNK].assign(id=mine, split_bucket=split_bucket(mine), **known)
            insert(session, CUSTOMER, part)
        step(0.6, "Adding customers to the search")
    return ids


def change_customers(session: Session, changed: pd.DataFrame, *, run_id: int | None, at: datetime) -> None:
    """Give customers their new values (id, version and columns) in one statement; `before` is kept.

    Raises Conflict when one of them has another version by now.
    """
    if changed.empty:
        return
    columns = [name for name in changed if name not in ("before", "id")]
    like = {name: CUSTOMER.c[name] for name in ("id", *columns)}
    with staging.staged(session, changed[["id", *columns]], like) as new:
        done = session.execute(
            update(CUSTOMER)
            .where(
                CUSTOMER.c.id == new.c.id,
                CUSTOMER.c.version == new.c.version,
                CUSTOMER.c.deleted_at.is_(None),
            )
            .values(
                **{name: new.c[name] for name in columns if name != "version"},
                version=new.c.version + 1,
                updated_at=at,
            )
        )
    if done.rowcount != len(changed):
        raise Conflict(CHANGED_SINCE)
    if run_id is not None:
        keep_before(session, "customer", changed["id"], changed["before"], changed["version"] + 1, run_id)


def keep_before(session: Session, noun: str, ids, before: pd.Series, version, run_id: int) -> None:
    """Keep what rows held before the import changed them; `before` is JSON."""
    frame = pd.DataFrame(
        {"import_id": run_id, "noun": noun, "object_id": np.asarray(ids), "before": before.to_numpy()}
    )
    if version is not None:
        frame["version"] = np.asarray(version)
    bulk.insert(session, CHANGE, frame.sort_values("object_id"))


def record_consent(
    session: Session, actor: Actor, changes: pd.DataFrame, ids: np.ndarray, *, run_id: int, at: datetime
) -> None:
    """The history of consents: of customers, or of new ones by their `place` among `ids`."""
    if changes.empty:
        return
    whole = with_ids(changes, ids)
    consent.record_changes(session, actor, whole, at=at, source=consent.IMPORT, import_id=run_id)


def with_ids(frame: pd.DataFrame, ids: np.ndarray, *, missing: bool = False) -> pd.DataFrame:
    """`customer_id` filled in for rows that name a new customer by `place`; `missing`: some name nobody."""
    placed = frame["place"].notna().to_numpy()
    customer_id = frame["customer_id"].astype("Int64")
    if placed.any():
        customer_id = customer_id.copy()
        customer_id[placed] = ids[frame["place"][placed].to_numpy(dtype="int64")]
    return frame.drop(columns="place").assign(
        customer_id=customer_id if missing else customer_id.astype("int64")
    )


def insert(session: Session, table, frame: pd.DataFrame) -> None:
    """A bulk insert; raises Conflict where somebody else has just written the same key."""
    with _conflicts():
        bulk.insert(session, table, frame)


@contextmanager
def filled(session: Session, table, rows: int) -> Iterator[None]:
    """Around the inserts of so many rows; raises Conflict as they do, also at its end."""
    with _conflicts(), filling(session, table, rows):
        yield


@contextmanager
def _conflicts() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if staging.is_taken(error):
            raise Conflict(f"Somebody has just saved some of the same. {DRY_RUN_AGAIN}") from error
        raise


def as_text(values: pd.Series) -> pd.Series:
    """Values as a diff shows them: days without a time, yes and no in words."""
    if pd.api.types.is_bool_dtype(values.dtype):
        return values.map({True: "yes", False: "no"}).astype(TEXT)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.dt.strftime("%Y-%m-%d %H:%M UTC").astype(TEXT)
    if pd.api.types.is_datetime64_dtype(values):
        return values.dt.strftime("%Y-%m-%d").astype(TEXT)
    return values.astype(TEXT)


def _diff(rows: Rows, ids: pd.Series, name: str, old: pd.Series, new: pd.Series, differs) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "row": rows.numbers(ids.index.to_numpy()[differs]),
            "customer": ids[differs].to_numpy(),
            "field": rows.targets[name].label if name in rows else name,
            "before": as_text(old[differs]).to_numpy(),
            "after": as_text(new[differs]).to_numpy(),
        }
    ).astype({"before": TEXT, "after": TEXT})


def json_piece(name: str, old: pd.Series, differs: np.ndarray) -> pa.Array:
    """`"name": old value, ` where a row changes, else null."""
    if pd.api.types.is_bool_dtype(old.dtype):
        words = old.map({True: "true", False: "false"})
    else:
        codes, distinct = pd.factorize(as_text(old))
        found = np.array([*(json.dumps(text) for text in distinct), "null"], dtype=object)
        words = pd.Series(found[codes])
    piece = (f"{json.dumps(name)}: " + words.astype(TEXT) + ", ").to_numpy(dtype=object)
    return pa.array(np.where(differs, piece, None), pa.large_string())


def _extra_piece(group: pd.DataFrame, length: int) -> pa.Array:
    piece = np.full(length, None, dtype=object)
    piece[group["place"]] = (
        f"{json.dumps(group['name'].iloc[0])}: " + group["json"].to_numpy(dtype=object) + ", "
    )
    return pa.array(piece, pa.large_string())


def json_objects(pieces: list[pa.Array], length: int) -> np.ndarray:
    """The pieces of each row as one JSON object."""
    if not pieces:
        return np.full(length, "{}", dtype=object)
    # Not null_handling="skip": it loses rows in which all are null.
    pieces = [pc.fill_null(piece, "") for piece in pieces]
    joined = pc.binary_join_element_wise(*pieces, pa.scalar("", pa.large_string()))
    return ("{" + pd.Series(joined, dtype=TEXT).str.removesuffix(", ") + "}").to_numpy(dtype=object)


def _together(consents: list[pd.DataFrame], part: pd.DataFrame) -> pd.DataFrame:
    if not consents:
        nobody = {"customer_id": part["id"][:0], "allowed": pd.Series(dtype=bool), "channel": []}
        consents = [pd.DataFrame(nobody)]
    return pd.concat(consents, ignore_index=True)
