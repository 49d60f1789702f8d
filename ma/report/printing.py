"""A report as PDF, printed by a browser that is on this machine. It gets no network and runs no script."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from ma.errors import Conflict, FileProblem
from ma.settings import settings

# All print the same way. The last ones are Windows' names.
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
)
# Where they are installed without being on the path.
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
REMEDY = (
    "Install Chromium, Chrome or Edge on the machine the workbench runs on, or name one in MA_BROWSER; or "
    "open the HTML file and print it as PDF."
)
_OPTIONS = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pdf-header-footer",
    # No name is ever looked up, so nothing can be fetched; the document refuses it too.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
# Each browser takes some 200 MB: more at once would take the machine from the others.
_turns = threading.BoundedSemaphore(2)
_WAIT_SECONDS = 30


def browser() -> str | None:
    """The browser that prints: that of MA_BROWSER, else one that is installed; None where there is none.

    Raises FileProblem if MA_BROWSER names none.
    """
    if named := settings().browser:
        if found := shutil.which(named):
            return found
        raise FileProblem("MA_BROWSER names no program that can be run. Correct it, or take it away.")
    on_path = (shutil.which(name) for name in NAMES)
    return next(filter(None, on_path), None) or next(filter(os.path.exists, PLACES), None)


def to_pdf(html: str, *, seconds: float = 60) -> bytes:
    """The pages of a document as a PDF file.

    Raises FileProblem where no browser is found or it cannot print; Conflict while too many are printed.
    """
    program = browser()
    if program is None:
        raise FileProblem(f"No browser was found that could print a PDF. {REMEDY}")
    if not _turns.acquire(timeout=_WAIT_SECONDS):
        raise Conflict("Other reports are being printed at this moment. Try again in a minute.")
    try:
        # The browser may still be tidying its profile up when the folder goes.
        place = {"prefix": "ma-report-", "dir": _place(program), "ignore_cleanup_errors": True}
        with tempfile.TemporaryDirectory(**place) as folder:
            return _printed(program, html, Path(folder), seconds)
    finally:
        _turns.release()


def _place(program: str) -> Path | None:
    """Where the browser can read and write; None: anywhere. Ubuntu's sees a /tmp of its own."""
    common = Path.home() / "snap" / "chromium" / "common"
    return common if program.startswith("/snap/") and common.is_dir() else None


def _printed(program: str, html: str, folder: Path, seconds: float) -> bytes:
    page, file = folder / "report.html", folder / "report.pdf"
    page.write_text(html, encoding="utf-8")
    options = [*_OPTIONS, f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={file}"]
    if sys.platform != "win32" and os.geteuid() == 0:
        # Chromium's sandbox refuses to be root's; the document can run nothing anyway.
        options.append("--no-sandbox")
    # A session of its own, so that its helpers end with it.
    process = subprocess.Popen(
        [program, *options, page.as_uri()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired as error:
        raise FileProblem(f"The browser took longer than {seconds:.0f} seconds to print. {REMEDY}") from error
    finally:
        _end(process)
    content = file.read_bytes() if file.exists() else b""
    if not content.startswith(b"%PDF"):
        raise FileProblem(f"The browser {program} wrote no PDF (code {process.returncode}). {REMEDY}")
    return content


def _end(process: subprocess.Popen) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
