"""Running it for a team, on the command line: moving, with its secret; backup and restore."""

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from ma import clock
from ma.db import secret
from ma.db.engine import connect
from ma.errors import Conflict
from ma.models import Audit, Workspace
from ma.services.workspace import create_workspace
from ma.settings import settings
from ma.types import SYSTEM
from tests.cli_in_process import run


@pytest.fixture
def workspace(sqlite_url):
    """The address of a workspace on SQLite."""
    database = connect(sqlite_url)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Shop", timezone="UTC", currency="EUR", at=clock.now())
    database.close()
    return sqlite_url


def test_a_workspace_moves_and_the_audit_log_of_the_new_one_says_so(workspace, postgres_url):
    ended = run("move", workspace, postgres_url, "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["tables"]["workspace"]["rows"] == 1
    database = connect(postgres_url)
    with database.reading() as session:
        assert session.scalars(select(Audit.action)).all()[-1] == "move"
    database.close()
    again = run("move", workspace, postgres_url)
    assert again.code == 1
    assert "holds data already" in again.err


def test_a_backup_is_written_and_brought_back(workspace, tmp_path):
    written = run("backup", str(tmp_path / "monday.db"), "--json", MA_DATABASE_URL=workspace)
    assert json.loads(written.out) == {"files": [str(tmp_path / "monday.db")]}
    new = f"sqlite:///{tmp_path / 'new' / 'ma.db'}"
    back = run("restore", str(tmp_path / "monday.db"), MA_DATABASE_URL=new)
    assert "Everybody is signed out. Webhooks disabled: 0" in back.out
    assert "Go through users, roles and API tokens" in back.out
    assert back.out.endswith("Next: python -m ma init\n")
    database = connect(new)
    with database.reading() as session:
        assert session.scalar(select(Workspace.name)) == "Shop"
    database.close()
    again = run("restore", str(tmp_path / "monday.db"), MA_DATABASE_URL=new)
    assert again.code == 1
    assert "Stop the app" in again.err


def test_the_secret_moves_along_and_never_takes_the_place_of_another(workspace, tmp_path, monkeypatch):
    source, target = connect(workspace), connect(f"sqlite:///{tmp_path / 'new' / 'ma.db'}")
    with source.reading() as old, target.reading() as new:
        key = secret.key(old, "erased")
        secret.carry(old, new, dry_run=True)
        assert not (tmp_path / "new").exists()
        secret.carry(old, new)
        assert secret.key(new, "erased") == key
        secret.carry(old, new)
        kept = tmp_path / "new" / "secrets" / "workspace.key"
        assert kept.stat().st_mode & 0o777 == 0o600
        kept.write_text("f" * 64, encoding="ascii")
        with pytest.raises(Conflict, match="there is another one in"):
            secret.carry(old, new)
        for given, fits in (
            ("e" * 64, False),
            (Path(tmp_path / "secrets" / "workspace.key").read_text(), True),
        ):
            monkeypatch.setenv("MA_SECRET", given)
            settings.cache_clear()
            if fits:
                secret.carry(old, new)
                assert secret.key(new, "erased") == key
            else:
                with pytest.raises(Conflict, match="MA_SECRET is another one"):
                    secret.carry(old, new)
    source.close()
    target.close()
    shutil.rmtree(tmp_path / "new")
