"""Signing in with a name and a password where there is no form: several short transactions.

As at the form (`ui.sign_in`): the attempt is counted before the password is looked at, an unknown name costs
the same as a wrong password, and the hash from the older system is replaced.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from ma.db.engine import Database
from ma.errors import NotSignedIn, TooManyAttempts
from ma.services import auth
from ma.types import Actor

WRONG = "The user name or the password is not right."


@dataclass(frozen=True)
class SignedIn:
    """Somebody who is signed in now; `token` is the session's, for its cookie."""

    actor: Actor
    token: str


def sign_in(
    database: Database, *, username: str, password: str, address: str | None, at: datetime
) -> SignedIn:
    """A new session for a name and its password. Raises NotSignedIn, TooManyAttempts."""
    username, password = auth.normal(username), password.strip()
    with database.writing() as session:
        wait = auth.begin_attempt(session, username=username, address=address, at=at)
    if wait:
        raise TooManyAttempts(f"Too many failed attempts. Wait {spoken(wait)}, then try again.", wait=wait)
    account = _account(database, username, password, at)
    # More than 72 bytes fit nothing, and take no time of their own: an empty password does that too.
    checkable = password if len(password.encode(errors="replace")) <= 72 else ""
    usable = account is not None and not auth.is_legacy(account.password_hash)
    fits = auth.matches(checkable, account.password_hash if usable else auth.dummy_hash())
    with database.writing() as session:
        if not (fits and account):
            auth.record_failure(session, username=username, at=at)
        else:
            auth.record_success(session, account, address=address, at=at)
            token = auth.redeem_ticket(session, auth.issue_ticket(session, account.user_id, at=at), at=at)
            # None where the account was disabled a moment ago.
            if token:
                return SignedIn(account.actor, token)
    raise NotSignedIn(WRONG)


def _account(database: Database, username: str, password: str, at: datetime) -> auth.Account | None:
    """The account; where it had the older system's hash and the password fits that, with a new one."""
    with database.reading() as session:
        account = auth.find_account(session, username)
    if account is None or not auth.is_legacy(account.password_hash):
        return account
    with database.writing() as session:
        auth.upgrade_legacy(session, account, password, at=at)
        return auth.find_account(session, username)


def spoken(wait: timedelta) -> str:
    """A wait in words, rounded up: "3 seconds", "2 minutes"."""
    seconds = ceil(wait.total_seconds())
    number, unit = (seconds, "second") if seconds < 60 else (ceil(seconds / 60), "minute")
    return f"{number} {unit}{'' if number == 1 else 's'}"
