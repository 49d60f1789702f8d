"""Many whole numbers out of the database, as numpy columns."""

import numpy as np
from sqlalchemy import Select, SelectBase, Text, func, select, type_coerce
from sqlalchemy.orm import Session

from ma.db import bulk


def columns(session: Session, query: SelectBase) -> list[np.ndarray]:
    """The columns of a select as int64 arrays, one value per row, the rows in any order.

    They are whole numbers below 2^53 and never NULL. On SQLite each column comes as one long text: of a
    million rows that takes a quarter of the time that a tuple per row does.
    """
    if session.connection().dialect.name != "sqlite":
        rows = bulk.numbers(session, query).astype(np.int64)
        return [np.ascontiguousarray(column) for column in rows.T]
    rows = query.subquery()
    texts = session.execute(select(*(type_coerce(func.group_concat(c), Text) for c in rows.c))).one()
    return [np.fromstring(text or "", dtype=np.int64, sep=",") for text in texts]


def column(session: Session, query: Select | SelectBase) -> np.ndarray:
    """The one column of a select, likewise."""
    [found] = columns(session, query)
    return found
