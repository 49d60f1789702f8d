"""What was worked out already, kept for everybody until something changes or the hour ends."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from time import perf_counter
from typing import Any

import streamlit as st

from ma.services.forecasts import data_version
from ui.session import database, reading

_MOST = 64
_found: OrderedDict[tuple, "Kept"] = OrderedDict()
_lock = Lock()


@dataclass(frozen=True)
class Kept:
    """What was worked out, for all to read and nobody to change, and as of when."""

    value: Any
    as_of: datetime


def kept(
    key: tuple, as_of: datetime, work: Callable[[], Any], *, words: str = "", quick: float = 0.0
) -> Kept:
    """What `work` gives, or what it gave for the same key and data within the hour of `as_of`.

    `words` stand beside the spinner. What takes less than `quick` seconds is not kept: it can be asked for as
    of each moment.
    """
    with reading() as session:
        version = data_version(session)
    hour = as_of.replace(minute=0, second=0, microsecond=0)
    whole = (str(database().engine.url), version, hour, *key)
    with _lock:
        if whole in _found and _found[whole].as_of <= as_of:
            _found.move_to_end(whole)
            return _found[whole]
    began = perf_counter()
    if words:
        with st.spinner(words, show_time=True):
            found = Kept(work(), as_of)
    else:
        found = Kept(work(), as_of)
    if perf_counter() - began >= quick:
        with _lock:
            _found[whole] = found
            while len(_found) > _MOST:
                _found.popitem(last=False)
    return found


def forget() -> None:
    """Forget all of it."""
    with _lock:
        _found.clear()
