"""Powers in SQL, also where SQLite was built without its mathematical functions."""

import math

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session


def with_powers(session: Session) -> None:
    """From here on `func.power` works in this session, on every engine."""
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        return
    if not connection.scalar(text("SELECT sqlite_compileoption_used('ENABLE_MATH_FUNCTIONS')")):
        teach(connection)


def teach(connection: Connection) -> None:
    """Give a connection to SQLite a power function of ours: several times slower than SQLite's own."""
    connection.connection.driver_connection.create_function("power", 2, math.pow, deterministic=True)
