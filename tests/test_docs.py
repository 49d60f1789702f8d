"""What README and docs say is true: settings, commands, roles, files, and the notebook lines."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from ma import cli, clock
from ma.db.engine import connect
from ma.rules.fields import FIELDS
from ma.services.workspace import create_workspace
from ma.settings import Settings
from ma.types import PERMISSIONS, SYSTEM, Permission, Role

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_shows_both_commands_in_its_first_screenful():
    top = README[:1200]
    assert "make run" in top
    assert "make test" in top


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_readme(name):
    assert f"`MA_{name.upper()}`" in README


SIGN_IN = (ROOT / "docs" / "sign-in.md").read_text(encoding="utf-8")


def test_the_settings_for_each_identity_provider_can_be_used(monkeypatch):
    blocks = re.findall(r"```\n(MA_.*?)```", SIGN_IN, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        with monkeypatch.context() as given:
            for line in block.strip().splitlines():
                given.setenv(*line.split("=", 1))
            read = Settings(_env_file=None)
        assert set(read.oidc_roles.values()) > {Role.ADMIN}
        assert f"`{read.address}/oauth2callback`" in SIGN_IN


def test_every_setting_of_the_sign_in_is_explained_and_exists():
    named = set(re.findall(r"`(MA_[A-Z_]+)[`=]", SIGN_IN))
    known = {f"MA_{name.upper()}" for name in Settings.model_fields}
    assert named <= known
    assert {name for name in known if name.startswith("MA_OIDC")} <= named


def test_readme_counts_the_fields_of_the_catalogue():
    assert f"{len(FIELDS)} profile fields" in README


def test_every_promise_names_a_test_that_exists():
    promises = README[README.index("## What it promises") : README.index("Not promised")]
    named = re.findall(r"`(tests/[\w/]+\.py)`", promises)
    assert len(named) >= 6
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_file_the_documents_link_to_exists():
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "data" / "README.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def commands(text):
    """The commands of our program that a text names, each as its words: `segment list`."""
    for line in re.findall(r"python -m ma ([a-z][\w| -]*)", text):
        words = line.split()
        for first in words[0].split("|"):
            seconds = words[1].split("|") if len(words) > 1 else [None]
            yield from ((first, second) for second in seconds)


def test_every_command_the_documents_name_exists():
    program = typer.main.get_command(cli.app).commands
    documents = [ROOT / "README.md", ROOT / "compose.yaml", *(ROOT / "docs").glob("*.md")]
    named = {found for path in documents for found in commands(path.read_text(encoding="utf-8"))}
    assert len(named) > 25
    for first, second in named:
        assert first in program, first
        inner = getattr(program[first], "commands", {})
        # `report --from …` is one of itself.
        assert not inner or second is None or second.startswith("-") or second in inner, (first, second)


def test_every_setting_in_the_guide_for_teams_exists():
    guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\bMA_([A-Z_]+[A-Z])\b", guide))
    assert len(named) > 8
    assert {name.lower() for name in named} - {"admin"} <= set(Settings.model_fields)


def test_table_of_roles_matches_the_permissions():
    rows = re.findall(r"^\| ([^|]+) \|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|$", README, re.MULTILINE)
    table = {name.strip(): [bool(cell.strip()) for cell in cells] for name, *cells in rows}
    expected = {
        "read every screen": Permission.READ,
        "export": Permission.EXPORT,
        "edit customers, segments and campaigns, launch, move the demo clock": Permission.EDIT_CAMPAIGNS,
        "import files": Permission.IMPORT,
        "add users": Permission.MANAGE_USERS,
        "erase people": Permission.ERASE,
    }
    ranks = list(Role)
    for words, permission in expected.items():
        lowest = ranks.index(PERMISSIONS[permission])
        assert table[words] == [rank >= lowest for rank in range(4)], words


def test_notebook_lines_of_the_readme_run(template_sqlite, tmp_path):
    (tmp_path / "ma.db").write_bytes(template_sqlite.read_bytes())
    url = f"sqlite:///{tmp_path / 'ma.db'}"
    database = connect(url)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Shop", timezone="UTC", currency="EUR", at=clock.now())
    database.close()
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    assert len(code.strip().splitlines()) < 10
    shown = re.sub(r"^(workbench\.\w+\(.*?\)) .*$", r"print(len(\1))", code, flags=re.MULTILINE)
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", shown],
        env={**os.environ, "MA_DATABASE_URL": url},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["8", "0", "0", "0", "0"]
