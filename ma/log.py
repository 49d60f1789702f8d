"""Logging errors without what they hold: messages can contain names and addresses."""

import json
import logging
import traceback
from secrets import token_hex

from ma.clock import now

_log = logging.getLogger("ma.errors")


def log_error(error: BaseException, *, doing: str = "") -> str:
    """Log an error as one JSON line and return its reference id.

    Only the kinds of error, the places in the code and `doing` (ids, no personal data) are logged.
    """
    reference = token_hex(4)
    chain, seen = [], error
    while seen is not None and len(chain) < 5:
        chain.append(type(seen).__name__)
        seen = seen.__cause__ or seen.__context__
    frames = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    entry = {"at": now().isoformat(), "reference": reference, "error": chain, "where": frames[-12:]}
    _log.error(json.dumps({**entry, "doing": doing} if doing else entry))
    return reference
