"""The command line run in this process: what it prints, without a second Python to start."""

import contextlib
import io
from dataclasses import dataclass

import pytest

from ma import cli
from ma.settings import settings


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


def run(*arguments: str, **environment: str) -> Ended:
    """Run a command with these settings."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        settings.cache_clear()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                cli.main(list(arguments))
                code = 0
            except SystemExit as ended:
                code = ended.code or 0
    settings.cache_clear()
    return Ended(code, out.getvalue(), err.getvalue())
