"""The workspace's secret: a setting, or a file that only its owner may read."""

import hashlib
import hmac
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from secrets import token_hex

from sqlalchemy.orm import Session

from ma.errors import Conflict, NotReady
from ma.settings import DATA, settings

_FILE = "workspace.key"


def key(session: Session, purpose: str) -> bytes:
    """A key for one purpose, derived from MA_SECRET or else from a file that is made at the first need.

    The file lies in `secrets/` beside the SQLite database, on PostgreSQL in `data/secrets` of this machine:
    several machines need MA_SECRET, the same on each. Raises NotReady when it can be neither read nor made.
    """
    given = settings().secret
    secret = given.get_secret_value().encode() if given else _kept(_folder(session))
    return hmac.digest(secret, purpose.encode(), "sha256")


def file_of(folder: Path) -> Path:
    """Where the secret of a SQLite database in a folder is kept, if no setting gives it."""
    return folder / "secrets" / _FILE


def carry(source: Session, target: Session, *, dry_run: bool = False) -> None:
    """See to it that a workspace that moves to another database keeps its secret.

    Raises Conflict, with `dry_run` too, where another one would take its place: nobody who was erased could
    be recognised then.
    """
    old, new, given = _folder(source) / _FILE, _folder(target) / _FILE, settings().secret
    if not old.exists() or old == new:
        return
    mine = old.read_bytes().strip()
    if given:
        if given.get_secret_value().encode() != mine:
            raise Conflict(
                f"The secret of this workspace is in {old}, and MA_SECRET is another one. Set MA_SECRET to "
                "what the file holds; or, if MA_SECRET was set from the beginning, move the file away."
            )
    elif not new.exists():
        if not dry_run:
            _make(new, mine)
    elif new.read_bytes().strip() != mine:
        raise Conflict(
            f"The secret of this workspace is in {old}, and there is another one in {new}. Set MA_SECRET to "
            "what the first file holds, here and wherever the target is used."
        )


def keyed_hash(secret: bytes, text: str) -> str:
    """HMAC-SHA256 of a text, as 64 hexadecimal digits."""
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def _folder(session: Session) -> Path:
    url = session.get_bind().engine.url
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return Path(url.database.removeprefix("file:").partition("?")[0]).resolve().parent / "secrets"
    return DATA / "secrets"


@lru_cache
def _kept(folder: Path) -> bytes:
    path = folder / _FILE
    try:
        if not path.exists():
            _make(path, token_hex(32).encode())
        secret = path.read_bytes().strip()
    except OSError as error:
        raise NotReady(
            "The file with this workspace's secret can be neither read nor made. Set MA_SECRET, or let this "
            "program write to the folder “secrets” beside the database."
        ) from error
    if len(secret) < 32:
        raise NotReady("The file with this workspace's secret is damaged. Restore it from a backup.")
    return secret


def _make(path: Path, secret: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}-{token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    # Whole or not at all, and of two processes that make it at once both use the first one's.
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
