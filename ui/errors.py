"""What went wrong, for the person at the screen and for the log."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError
from streamlit.errors import FragmentHandledException

from ma.db.engine import BUSY, is_busy
from ma.errors import Exposed, InvalidInput
from ma.log import log_error
from ui.text import literal


@dataclass
class Attempt:
    """How a `shown()` block ended; `problems` maps fields to messages when the input was refused."""

    ok: bool = True
    problems: dict[str, str] = field(default_factory=dict)


@contextmanager
def shown() -> Iterator[Attempt]:
    """Run a block; an error becomes a message on the screen instead of a crash.

    Errors written for people are shown as they are, one line per problem of an InvalidInput. Any other is
    logged, and the person gets a reference id. Check `attempt.ok` after the block.
    """
    attempt = Attempt()
    try:
        yield attempt
    except InvalidInput as error:
        attempt.ok, attempt.problems = False, error.problems
        for problem in error.problems.values():
            st.error(literal(problem), icon=":material/error:")
    except Exposed as error:
        attempt.ok = False
        st.error(literal(error), icon=":material/error:")
    except FragmentHandledException:
        # A fragment inside the block failed and has shown why.
        raise
    except Exception as error:
        attempt.ok = False
        st.error(explain(error), icon=":material/error:")


def show_uncaught(error: Exception) -> bool:
    """Show an error that no `shown()` caught, as in a callback or fragment; True: the framework need not."""
    with shown():
        raise error
    return True


def explain(error: Exception) -> str:
    """The sentence for an error nobody foresaw: what to do, and the id under which it was logged."""
    if isinstance(error, SQLAlchemyError) and is_busy(error):
        return BUSY
    return f"Something went wrong on our side. Try again; if it stays, report reference {log_error(error)}."
