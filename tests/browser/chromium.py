"""A Chromium for the browser tests: an installed one, Playwright's own, or Debian's. `make test` runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def installed() -> str | None:
    """The path of an installed Chromium or Chrome."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def playwrights_own() -> str | None:
    """The path of the Chromium that Playwright downloaded, if it did."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> None:
    """Try to get one: by Playwright, else, as root on Debian, by apt."""
    _try([sys.executable, "-m", "playwright", "install", "chromium"])
    if playwrights_own() or not shutil.which("apt-get") or os.geteuid() != 0:
        return
    _try(["apt-get", "update"])
    _try(["apt-get", "install", "--yes", "--no-install-recommends", "chromium"])


def _try(command: list[str]) -> None:
    try:
        subprocess.run(
            command, check=False, timeout=600, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        print(f"  failed: {' '.join(command)}", file=sys.stderr)


if __name__ == "__main__":
    if not (installed() or playwrights_own()):
        print("No Chromium found; trying to install one for the browser tests.", file=sys.stderr)
        install()
    if not (installed() or playwrights_own()):
        print("BROWSER TESTS WILL NOT RUN: no Chromium could be had. Install chromium.", file=sys.stderr)
