"""The history of what customers allow: a row for every change, beside the columns that hold the present."""

from datetime import datetime

import pandas as pd
from sqlalchemy.orm import Session

from ma.db import bulk
from ma.errors import InvalidInput
from ma.models import ConsentChange
from ma.types import Actor, Channel

# The words for where a change comes from; "first record" is what was known when the history began.
FORM, IMPORT, MERGE, FIRST = "form", "import", "merge", "first record"


def record_changes(
    session: Session,
    actor: Actor,
    changes: pd.DataFrame,
    *,
    at: datetime,
    source: str,
    import_id: int | None = None,
) -> None:
    """Write down who began or ceased to allow what, beside the change and in its transaction, like an audit.

    `changes`: customer_id, channel (a Channel's value), allowed (bool), and `at` where each has a time of
    its own; only what really changes. The customers' own columns are the caller's, and so is the permission
    to change them. One bulk insert.
    Raises InvalidInput for an unknown channel.
    """
    unknown = changes.loc[~changes["channel"].isin([channel.value for channel in Channel]), "channel"]
    if len(unknown):
        raise InvalidInput(
            {"channel": f"Unknown channel '{unknown.iloc[0]}'. Use one of {', '.join(Channel)}."}
        )
    if changes.empty:
        return
    rows = pd.DataFrame(
        {
            "customer_id": changes["customer_id"].to_numpy(),
            "channel": changes["channel"].astype(object).to_numpy(),
            "allowed": changes["allowed"].astype(bool).to_numpy(),
            "at": changes["at"].array if "at" in changes else pd.Timestamp(at),
            "source": source,
            "actor": actor.username,
        }
    )
    if import_id is not None:
        rows["import_id"] = import_id
    # Written in the order in which they will be read: one customer's history lies together.
    rows = rows.sort_values("customer_id", kind="stable", ignore_index=True)
    bulk.insert(session, ConsentChange.__table__, rows)


def differences(before: pd.DataFrame | None, after: pd.DataFrame) -> pd.DataFrame:
    """What `record_changes` wants, from the consent_… columns before and after.

    Both frames have customer_id and some of the consent_… columns, in the same order of rows; without
    `before` nothing was allowed.
    """
    parts = []
    for channel in Channel:
        name = f"consent_{channel}"
        if name not in after:
            continue
        now = after[name].to_numpy(dtype=bool)
        then = False if before is None else before[name].to_numpy(dtype=bool)
        changed = now != then
        parts.append(
            pd.DataFrame(
                {
                    "customer_id": after["customer_id"].to_numpy()[changed],
                    "channel": channel.value,
                    "allowed": now[changed],
                }
            )
        )
    if not parts:
        return pd.DataFrame(
            {
                "customer_id": pd.Series(dtype="int64"),
                "channel": pd.Series(dtype=object),
                "allowed": pd.Series(dtype=bool),
            }
        )
    return pd.concat(parts, ignore_index=True)
