"""Accounts, passwords, sign-ins and sessions.

The times here are real time (`ma.clock.now()`), never the demo clock: moving that must not end sessions.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from secrets import token_urlsafe

import bcrypt
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ma.errors import Conflict, InvalidInput, NotFound
from ma.models import ApiToken, Identity, SignInFailure, SignInTicket, User, UserSession
from ma.services.audit import audit
from ma.services.passwords import password_problem
from ma.services.permissions import require
from ma.types import Actor, Permission, Role

# The cookie that holds a session's token.
COOKIE = "ma_session"
DEMO_USERNAME, DEMO_PASSWORD = "admin", "admin123"
BCRYPT_COST = 12
IDLE, LONGEST = timedelta(hours=8), timedelta(hours=24)
SEEN_EVERY = timedelta(minutes=1)
TICKET_LIFE = timedelta(seconds=60)
# The fifth failure in a row waits one second, each further one twice as long.
FREE_FAILURES, LONGEST_WAIT = 4, timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=1)
_LEGACY = re.compile(r"[0-9a-fA-F]{64}")


# Accounts


def create_user(
    session: Session,
    actor: Actor,
    *,
    username: str,
    name: str,
    role: str,
    password: str,
    at: datetime,
    demo: bool = False,
) -> int:
    """Create an account and return its id. `demo` lets the demo login through the password rules, no other.

    Raises InvalidInput.
    """
    require(actor, Permission.MANAGE_USERS)
    username, name = normal(username), name.strip()
    problems = {}
    if not re.fullmatch(r"[^\s\x00-\x1f]{1,100}", username):
        problems["username"] = "Give a user name of 1 to 100 characters without spaces."
    elif session.scalar(select(User.id).where(User.username == username)):
        problems["username"] = "This user name is taken. Choose another one."
    if not 1 <= len(name) <= 200:
        problems["name"] = "Give the person's name, at most 200 characters."
    if role not in list(Role):
        problems["role"] = f"Unknown role. Choose one of: {', '.join(Role)}."
    is_demo_login = demo and (username, password) == (DEMO_USERNAME, DEMO_PASSWORD)
    if not is_demo_login and (problem := password_problem(password, username)):
        problems["password"] = problem
    if problems:
        raise InvalidInput(problems)
    user = User(
        username=username,
        name=name,
        role=Role(role),
        password_hash=_hash(password),
        active=True,
        created_at=at,
        updated_at=at,
    )
    session.add(user)
    session.flush()
    audit(session, actor, "create", "user", user.id, at=at, role=str(role))
    return user.id


def change_password(
    session: Session, actor: Actor, *, user_id: int, password: str, at: datetime, current: str | None = None
) -> None:
    """Set a password; ends the account's sessions and tokens.

    One's own needs the current one; others' need an admin.

    Raises InvalidInput, NotAllowed, NotFound, Conflict where a disabled account is of the company.
    """
    own = actor.user_id == user_id
    if not own:
        require(actor, Permission.MANAGE_USERS)
    user = _user(session, user_id)
    _keep_shut(session, user)
    problems = {}
    if own and not matches(current or "", user.password_hash):
        problems["current"] = "The current password is not right. Type it again."
    if problem := password_problem(password, user.username):
        problems["password"] = problem
    if problems:
        raise InvalidInput(problems)
    user.password_hash, user.updated_at = _hash(password), at
    # One way in, not two: whoever came from the company has a local account from now on.
    session.execute(delete(Identity).where(Identity.user_id == user_id))
    # The tokens too: whoever knew the old one may have made some.
    end_access(session, user_id, by=actor, at=at)
    audit(session, actor, "change password", "user", user_id, at=at)


def set_role(session: Session, actor: Actor, *, user_id: int, role: str, at: datetime) -> None:
    """Give an account another role and end its sessions.

    Raises InvalidInput, NotFound, Conflict when it is the last admin.
    """
    require(actor, Permission.MANAGE_USERS)
    if role not in list(Role):
        raise InvalidInput({"role": f"Unknown role. Choose one of: {', '.join(Role)}."})
    user = _user(session, user_id)
    if role != Role.ADMIN:
        _keep_an_admin(session, user)
    user.role, user.updated_at = Role(role), at
    _end_all_sessions(session, user_id)
    audit(session, actor, "set role", "user", user_id, at=at, role=str(role))


def set_active(session: Session, actor: Actor, *, user_id: int, active: bool, at: datetime) -> None:
    """Let an account sign in, or no longer; disabling ends its sessions.

    Raises NotFound, Conflict when it is the last admin.
    """
    require(actor, Permission.MANAGE_USERS)
    user = _user(session, user_id)
    if not active:
        _keep_an_admin(session, user)
    user.active, user.updated_at = active, at
    _end_all_sessions(session, user_id)
    audit(session, actor, "enable" if active else "disable", "user", user_id, at=at)


def _user(session: Session, user_id: int) -> User:
    user = session.get(User, user_id, with_for_update=True)
    if user is None:
        raise NotFound("There is no such user. Reload the list of users.")
    return user


def _keep_shut(session: Session, user: User) -> None:
    # Without its identity nothing would tell the person's next sign-in at the company that they are disabled.
    if not user.active and session.scalar(select(Identity.user_id).where(Identity.user_id == user.id)):
        raise Conflict(
            f"'{user.username}' is disabled and signs in at the company. Enable the account first: with a "
            "password it would be a local one, and the company's sign-in would make this person another."
        )


def _keep_an_admin(session: Session, user: User) -> None:
    # Locked in the order of their ids, so that two admins cannot demote each other at once.
    admins = session.scalars(
        select(User.id).where(User.role == Role.ADMIN, User.active).order_by(User.id).with_for_update()
    ).all()
    if list(admins) == [user.id]:
        raise Conflict("This is the last active admin. Make somebody else admin first.")


# Passwords


def normal(username: str) -> str:
    """A user name as it is stored and compared."""
    return username.strip().lower()


def matches(password: str, password_hash: str) -> bool:
    """Whether a password fits a bcrypt hash, or a SHA-256 hash from the older system."""
    if is_legacy(password_hash):
        return hmac.compare_digest(hashlib.sha256(password.encode()).hexdigest(), password_hash.lower())
    try:
        return bcrypt.checkpw(password.encode(), password_hash.encode())
    except ValueError:
        # Longer than 72 bytes, or not a hash: nothing that was ever accepted.
        return False


def is_legacy(password_hash: str) -> bool:
    """Whether a hash comes from the older system: 64 hexadecimal digits."""
    return bool(_LEGACY.fullmatch(password_hash))


@lru_cache
def dummy_hash() -> str:
    """A hash that no password fits, so that an unknown name costs the same as a wrong password."""
    return unusable_hash()


def unusable_hash() -> str:
    """A hash of its own that no password fits, for an account without one."""
    return _hash(token_urlsafe(32))


def _hash(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(BCRYPT_COST)).decode()


def has_demo_login(session: Session) -> bool:
    """Whether the well-known demo login would be let in."""
    account = find_account(session, DEMO_USERNAME)
    return account is not None and _is_demo_password(account.password_hash)


@lru_cache(maxsize=8)
def _is_demo_password(password_hash: str) -> bool:
    return matches(DEMO_PASSWORD, password_hash)


# Signing in


@dataclass(frozen=True)
class Account:
    """What checking a password needs. Disabled accounts have none: they look like unknown ones."""

    user_id: int
    username: str
    name: str
    role: Role
    password_hash: str

    @property
    def actor(self) -> Actor:
        """The person as the one who acts."""
        return Actor(self.username, self.role, self.user_id, self.name)


def find_account(session: Session, username: str) -> Account | None:
    """The active account of a user name."""
    user = session.scalar(select(User).where(User.username == normal(username), User.active))
    return user and Account(user.id, user.username, user.name, Role(user.role), user.password_hash)


def begin_attempt(session: Session, *, username: str, address: str | None, at: datetime) -> timedelta:
    """How long this account name or address must still wait; zero means: check the password now.

    The attempt counts as failed until `record_success` says otherwise, so that many at the same moment
    cannot all be the first one.
    """
    rows = [_failures(session, subject, at) for subject in _subjects(username, address)]
    waits = [row.blocked_until - at for row in rows if row.blocked_until]
    if (wait := max(waits, default=timedelta())) > timedelta():
        return wait
    for row in rows:
        row.failures += 1
        row.last_at = at
        if row.failures > FREE_FAILURES:
            # Twenty doublings already exceed the longest wait.
            doublings = min(row.failures - FREE_FAILURES - 1, 20)
            row.blocked_until = at + min(timedelta(seconds=2**doublings), LONGEST_WAIT)
    return timedelta()


def record_failure(session: Session, *, username: str, at: datetime) -> None:
    """Put a failed attempt into the audit log; a name that is no account's is not written down."""
    user = session.scalar(select(User).where(User.username == normal(username)))
    who = Actor(user.username, Role(user.role), user.id) if user else Actor("unknown", Role.VIEWER)
    audit(session, who, "sign in failed", "user", who.user_id, at=at)


def record_success(session: Session, account: Account, *, address: str | None, at: datetime) -> None:
    """Forget the account's failures and put the sign-in into the audit log.

    The address keeps its earlier failures: one's own account is no way to go on guessing at others'.
    """
    for subject in _subjects(account.username, address):
        if (row := session.get(SignInFailure, subject, with_for_update=True)) is None:
            continue
        if subject.startswith("account:"):
            session.delete(row)
        else:
            row.failures = max(row.failures - 1, 0)
            row.blocked_until = None
    session.execute(delete(SignInFailure).where(SignInFailure.last_at < at - FORGOTTEN_AFTER))
    audit(
        session,
        Actor(account.username, account.role, account.user_id),
        "sign in",
        "user",
        account.user_id,
        at=at,
    )


def upgrade_legacy(session: Session, account: Account, password: str, *, at: datetime) -> bool:
    """Replace the older system's hash by bcrypt if the password fits it; True when it did."""
    too_long = len(password.encode()) > 72
    if too_long or not is_legacy(account.password_hash) or not matches(password, account.password_hash):
        return False
    session.execute(
        update(User)
        .where(User.id == account.user_id, User.password_hash == account.password_hash)
        .values(password_hash=_hash(password), updated_at=at)
    )
    audit(session, account.actor, "upgrade password hash", "user", account.user_id, at=at)
    return True


def _subjects(username: str, address: str | None) -> list[str]:
    # Hashed: people type passwords into the wrong box.
    name = hashlib.sha256(normal(username).encode()).hexdigest()
    return [f"account:{name}"] + ([f"address:{address}"] if address else [])


def _failures(session: Session, subject: str, at: datetime) -> SignInFailure:
    row = session.get(SignInFailure, subject, with_for_update=True)
    if row is None:
        try:
            with session.begin_nested():
                row = SignInFailure(subject=subject, failures=0, blocked_until=None, last_at=at)
                session.add(row)
        except IntegrityError:
            # Another attempt of the same moment was first.
            row = session.get_one(SignInFailure, subject, with_for_update=True)
    if row.last_at < at - FORGOTTEN_AFTER:
        row.failures, row.blocked_until = 0, None
    return row


# Sessions


def issue_ticket(session: Session, user_id: int, *, at: datetime) -> str:
    """A ticket that the browser swaps, once and within a minute, for a session."""
    session.execute(delete(SignInTicket).where(SignInTicket.expires_at < at))
    ticket = token_urlsafe(32)
    session.add(SignInTicket(ticket_hash=_digest(ticket), user_id=user_id, expires_at=at + TICKET_LIFE))
    return ticket


def redeem_ticket(session: Session, ticket: str, *, at: datetime) -> str | None:
    """The token of a new session; None when the ticket is unknown, used or too old."""
    row = session.execute(
        select(SignInTicket.user_id, SignInTicket.expires_at)
        .join(User, User.id == SignInTicket.user_id)
        .where(SignInTicket.ticket_hash == _digest(ticket), User.active)
    ).first()
    used = session.execute(delete(SignInTicket).where(SignInTicket.ticket_hash == _digest(ticket))).rowcount
    if row is None or used != 1 or row.expires_at < at:
        return None
    session.execute(delete(UserSession).where(UserSession.created_at < at - LONGEST))
    token = token_urlsafe(32)
    session.add(UserSession(token_hash=_digest(token), user_id=row.user_id, created_at=at, last_seen_at=at))
    return token


def session_actor(session: Session, token: str, *, now: datetime) -> Actor | None:
    """Who a token signs in at this moment; None when the session has ended or the account is disabled."""
    user = session.scalar(
        select(User)
        .join(UserSession, UserSession.user_id == User.id)
        .where(
            UserSession.token_hash == _digest(token),
            UserSession.created_at > now - LONGEST,
            UserSession.last_seen_at > now - IDLE,
            User.active,
        )
    )
    return user and Actor(username=user.username, role=Role(user.role), user_id=user.id, name=user.name)


def seen_is_due(session: Session, token: str, *, now: datetime) -> bool:
    """Whether the last note that this session is used is older than a minute."""
    last = session.scalar(select(UserSession.last_seen_at).where(UserSession.token_hash == _digest(token)))
    return last is not None and last <= now - SEEN_EVERY


def record_seen(session: Session, token: str, *, now: datetime) -> None:
    """Note that a session is being used."""
    session.execute(
        update(UserSession).where(UserSession.token_hash == _digest(token)).values(last_seen_at=now)
    )


def end_session(session: Session, token: str, *, at: datetime) -> bool:
    """Sign out: the token is worth nothing from now on. False when it was not before either."""
    actor = session_actor(session, token, now=at)
    ended = session.execute(delete(UserSession).where(UserSession.token_hash == _digest(token))).rowcount
    if actor and ended:
        audit(session, actor, "sign out", "user", actor.user_id, at=at)
    return bool(ended)


def end_access(session: Session, user_id: int, *, by: Actor, at: datetime) -> None:
    """End an account's sessions and tokens."""
    _end_all_sessions(session, user_id)
    live = (ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
    session.execute(update(ApiToken).where(*live).values(revoked_at=at, revoked_by=by.username))


def _end_all_sessions(session: Session, user_id: int) -> None:
    session.execute(delete(UserSession).where(UserSession.user_id == user_id))
    session.execute(delete(SignInTicket).where(SignInTicket.user_id == user_id))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
