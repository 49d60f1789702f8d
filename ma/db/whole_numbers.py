"""Many whole numbers out of the database, as numpy columns."""

import numpy as np
from sqlalchemy import (
    BigInteger,
    LargeBinary,
    Select,
    SelectBase,
    Text,
    cast,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.orm import Session


def columns(session: Session, query: SelectBase) -> list[np.ndarray]:
    """The columns of a select as int64 arrays, one value per row, the rows in any order.

    They are never NULL. Each column comes as one long value, a text on SQLite and bytes on PostgreSQL: of a
    million rows that takes a quarter of the time that a tuple per row does.
    """
    rows = query.subquery()
    if session.connection().dialect.name != "sqlite":
        nothing = literal(b"", LargeBinary)
        sent = (func.string_agg(func.int8send(cast(c, BigInteger)), nothing) for c in rows.c)
        packed = session.execute(select(*(type_coerce(one, LargeBinary) for one in sent))).one()
        return [np.frombuffer(one or b"", dtype=">i8").astype(np.int64) for one in packed]
    texts = session.execute(select(*(type_coerce(func.group_concat(c), Text) for c in rows.c))).one()
    return [np.fromstring(text or "", dtype=np.int64, sep=",") for text in texts]


def column(session: Session, query: Select | SelectBase) -> np.ndarray:
    """The one column of a select, likewise."""
    [found] = columns(session, query)
    return found
