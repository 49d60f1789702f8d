"""How long a start takes, against what the same interpreter needs to import the framework alone.

    python bench/startup.py

Parts: the demo world into a new SQLite database; then a second start of the app, to the port that answers
and, where a Chromium can be had, to the sign-in form that a person sees. Both share this machine's cores.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
FRAMEWORK = "import streamlit, sqlalchemy.orm, pandas"


def timed(*command: str, **environment: str) -> float:
    """Seconds a command takes; it must succeed."""
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True, capture_output=True)
    return time.perf_counter() - began


def second_start(url: str) -> dict[str, float]:
    """Seconds from the start of the app to what a person can use."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address, seconds = f"http://127.0.0.1:{port}", {}
    environment = {**os.environ, "MA_DATABASE_URL": url, "MA_PORT": str(port)}
    with browser() as page:
        began = time.perf_counter()
        app = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
        )
        try:
            while not answers(address):
                time.sleep(0.05)
            seconds["the port answers"] = time.perf_counter() - began
            if page:
                page.goto(address)
                page.get_by_label("User name").wait_for(timeout=60_000)
                seconds["the sign-in form is there"] = time.perf_counter() - began
        finally:
            app.terminate()
            app.wait()
    return seconds


def answers(address: str) -> bool:
    """Whether the app says that it is up."""
    try:
        with urlopen(f"{address}/health", timeout=1):
            return True
    except (URLError, OSError):
        return False


@contextmanager
def browser():
    """A page of a real Chromium, or None where there is none."""
    from playwright.sync_api import sync_playwright

    from tests.browser.chromium import installed, playwrights_own

    path = installed() or playwrights_own()
    if path is None:
        yield None
        return
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox"]).new_page()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'bench.db'}"
        demo = timed(sys.executable, "-m", "ma", "init", "--demo", MA_DATABASE_URL=url)
        second_start(url)  # the first one compiles what was never imported before
        framework = timed(sys.executable, "-c", FRAMEWORK)
        starts = second_start(url)
    print(f"{FRAMEWORK!r}: {framework:.1f} s")
    for words, seconds in {"the demo world is loaded": demo, **starts}.items():
        print(f"  {seconds:5.1f} s  {seconds / framework:4.1f} x  {words}")


if __name__ == "__main__":
    main()
