"""The files that came in, and what became of them."""

from datetime import datetime

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.analytics.frames import read
from ma.models import ImportRun

_COUNTS = ("new", "changed", "unchanged", "rejected")


def imports(session: Session, *, as_of: datetime, limit: int = 200) -> pd.DataFrame:
    """The last imports, latest first.

    import_id, kind, file_name, at, actor, then rows of the file (new, changed, unchanged, rejected),
    undone_at (missing: it stands), undone_by, and can_undo.
    """
    frame = read(
        session,
        select(
            ImportRun.id.label("import_id"),
            ImportRun.kind,
            ImportRun.file_name,
            ImportRun.at,
            ImportRun.actor,
            ImportRun.counts,
            ImportRun.undone_at,
            ImportRun.undone_by,
        )
        .where(ImportRun.at <= as_of)
        .order_by(ImportRun.id.desc())
        .limit(limit),
    )
    counts = frame.pop("counts")
    frame["at"] = pd.to_datetime(frame["at"], utc=True)
    for place, name in enumerate(_COUNTS):
        frame.insert(5 + place, name, [int(count.get(name, 0)) for count in counts])
    frame["can_undo"] = frame["undone_at"].isna()
    return frame
