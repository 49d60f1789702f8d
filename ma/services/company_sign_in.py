"""Signing in with an account of the company's identity provider (OpenID Connect).

The provider's answer has been checked by the time it comes here: signature, issuer, expiry and nonce. Here it
is decided whom it lets in and with which role. A person is known by the provider's subject, never by an
e-mail address: that can be somebody else's, and must not open the account of whoever has it here. The times
are real time, never the demo clock.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ma.clock import from_micros
from ma.db.engine import Database
from ma.errors import Conflict, InvalidInput, NotSignedIn
from ma.models import Identity, UsedIdToken, User
from ma.services import auth
from ma.services.audit import audit
from ma.services.customer_fields import has_unseen
from ma.services.permissions import require
from ma.settings import Settings
from ma.types import SYSTEM, Actor, Permission, Role

# An answer is used within seconds; clocks may differ by a little.
FRESH, CLOCKS_APART = timedelta(minutes=5), timedelta(minutes=2)
LONGEST_SUBJECT = 255
# Who acts in the audit log where it is no person: no account may bear these names.
_RESERVED = (SYSTEM.username, "unknown")

NOT_OURS = (
    "The identity provider answered for another app. Ask whoever runs this workbench to compare "
    "MA_OIDC_ISSUER and MA_OIDC_CLIENT_ID with the provider's settings."
)
USED = "This sign-in was used before or is too old. Sign in again."
NO_ROLE = (
    "You signed in at your company, but none of your groups has a role in this workbench. "
    "Ask an admin to give you one, then sign in again."
)
DISABLED = "Your account in this workbench is disabled. Ask an admin to enable it."
LAST_ADMIN = (
    "Your groups no longer make you an admin, and you are the only one here. "
    "Ask whoever runs this workbench to make somebody else admin first."
)


@dataclass(frozen=True)
class Provider:
    """What is agreed with the identity provider: who answers, for whom, and which claims give which role."""

    issuer: str
    client_id: str
    role_claims: tuple[str, ...]
    roles: Mapping[str, Role]
    default_role: Role | None

    def role_of(self, claims: Mapping) -> Role | None:
        """The highest role that a person's claims give; the default one, or None, where they give none."""
        given = [value for name in self.role_claims for value in _values(claims, name)]
        found = [self.roles[value] for value in given if value in self.roles]
        ranks = list(Role)
        return max(found, key=ranks.index, default=self.default_role)


def provider(settings: Settings) -> Provider | None:
    """The identity provider of these settings; None where people have local accounts only."""
    if not settings.oidc_issuer:
        return None
    names = (name.strip() for name in settings.oidc_role_claim.split(","))
    return Provider(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        role_claims=tuple(name for name in names if name),
        roles=settings.oidc_roles,
        default_role=settings.oidc_default_role,
    )


def sign_in(database: Database, claims: Mapping, *, provider: Provider, at: datetime) -> str:
    """A ticket for a session of the person whom these claims name, with an account that fits them.

    Raises NotSignedIn, saying why; who has lost their role has lost their sessions and tokens by then too.
    """
    _require_ours(claims, provider, at)
    try:
        ticket, reason = _admitted(database, claims, provider, at)
    except IntegrityError:
        # The same person's first sign-in in another browser was quicker.
        ticket, reason = _admitted(database, claims, provider, at)
    if ticket is None:
        raise NotSignedIn(reason)
    return ticket


def join(session: Session, actor: Actor, *, username: str, company_username: str, at: datetime) -> None:
    """Let a person of the company use an older local account; the one they have had so far is disabled.

    Its password opens the account no more, and both accounts' sessions and tokens end.
    Raises InvalidInput, NotAllowed, Conflict when the disabled one is the last admin.
    """
    require(actor, Permission.MANAGE_USERS)
    local, theirs = _account(session, username), _account(session, company_username)
    problems = {}
    if local is None or not local.active or _is_of_the_company(session, local):
        problems["username"] = f"There is no active local account '{username}'. Look at the list of users."
    if theirs is None or not _is_of_the_company(session, theirs):
        problems["company_username"] = (
            f"'{company_username}' has never signed in at the company. Do that first."
        )
    if problems:
        raise InvalidInput(problems)
    if theirs.active:
        auth.set_active(session, actor, user_id=theirs.id, active=False, at=at)
    session.execute(update(Identity).where(Identity.user_id == theirs.id).values(user_id=local.id))
    local.password_hash, local.updated_at = auth.unusable_hash(), at
    for user in (local, theirs):
        auth.end_access(session, user.id, by=actor, at=at)
    audit(session, actor, "join", "user", local.id, at=at, company_account=theirs.id)


def _account(session: Session, username: str) -> User | None:
    return session.scalar(select(User).where(User.username == auth.normal(username)).with_for_update())


def _is_of_the_company(session: Session, user: User) -> bool:
    return session.scalar(select(Identity.user_id).where(Identity.user_id == user.id)) is not None


def _require_ours(claims: Mapping, provider: Provider, at: datetime) -> None:
    # The library takes a token for another app where its authorised party is ours: the audience decides.
    audience = claims.get("aud")
    meant = provider.client_id in (audience if isinstance(audience, list) else [audience])
    if _text(claims, "iss").rstrip("/") != provider.issuer or not meant:
        raise NotSignedIn(NOT_OURS)
    if not 1 <= len(_text(claims, "sub")) <= LONGEST_SUBJECT:
        raise NotSignedIn(NOT_OURS)
    issued = claims.get("iat")
    if not _text(claims, "nonce") or not isinstance(issued, int | float) or not 0 < issued < 1e11:
        raise NotSignedIn(USED)
    if not at - FRESH <= from_micros(int(issued * 1_000_000)) <= at + CLOCKS_APART:
        raise NotSignedIn(USED)


def _admitted(
    database: Database, claims: Mapping, provider: Provider, at: datetime
) -> tuple[str | None, str]:
    # Not raised inside: a refusal has consequences, which must be kept.
    with database.writing() as session:
        user, role = _known(session, claims, provider), provider.role_of(claims)
        if _is_used(session, claims, at):
            return None, USED
        reason = _reason_against(session, user, role, at)
        if reason:
            who = _actor(user) if user else Actor("unknown", Role.VIEWER)
            audit(session, who, "sign in refused", "user", who.user_id, at=at, by="company")
            return None, reason
        user = user or _new_user(session, claims, provider, role, at)
        name = _name(claims, user.username)
        if user.name != name:
            user.name, user.updated_at = name, at
        _use(session, claims, at)
        audit(session, _actor(user), "sign in", "user", user.id, at=at, by="company")
        return auth.issue_ticket(session, user.id, at=at), ""


def _known(session: Session, claims: Mapping, provider: Provider) -> User | None:
    mine = (Identity.issuer == provider.issuer, Identity.subject == claims["sub"])
    return session.scalar(
        select(User).join(Identity, Identity.user_id == User.id).where(*mine).with_for_update(of=User)
    )


def _reason_against(session: Session, user: User | None, role: Role | None, at: datetime) -> str:
    """Why somebody is not let in, "" if they are; their role is the present one then."""
    if user is not None and not user.active:
        return DISABLED
    if role is None:
        if user is not None:
            auth.end_access(session, user.id, by=SYSTEM, at=at)
        return NO_ROLE
    if user is not None and user.role != role:
        try:
            auth.set_role(session, SYSTEM, user_id=user.id, role=role, at=at)
        except Conflict:
            auth.end_access(session, user.id, by=SYSTEM, at=at)
            return LAST_ADMIN
    return ""


def _new_user(session: Session, claims: Mapping, provider: Provider, role: Role, at: datetime) -> User:
    username = next(name for name in _usernames(claims) if _is_free(session, name))
    user = User(
        username=username,
        name=_name(claims, username),
        role=role,
        password_hash=auth.unusable_hash(),
        active=True,
        created_at=at,
        updated_at=at,
    )
    session.add(user)
    session.flush()
    session.add(Identity(issuer=provider.issuer, subject=claims["sub"], user_id=user.id, created_at=at))
    session.flush()
    audit(session, SYSTEM, "create", "user", user.id, at=at, role=str(role), by="company")
    return user


def _usernames(claims: Mapping) -> Iterator[str]:
    """The user names to try: the checked e-mail address, or what the provider calls them; then numbered."""
    email = _text(claims, "email") if claims.get("email_verified") is True else ""
    wanted = "".join(c for c in auth.normal(email or _text(claims, "preferred_username")) if not c.isspace())
    wanted = "user" if not wanted or has_unseen(wanted) else wanted[:90]
    yield wanted
    number = 2
    while True:
        yield f"{wanted}-{number}"
        number += 1


def _is_free(session: Session, username: str) -> bool:
    return username not in _RESERVED and not session.scalar(select(User.id).where(User.username == username))


def _name(claims: Mapping, otherwise: str) -> str:
    parts = (_text(claims, "given_name"), _text(claims, "family_name"))
    name = " ".join((_text(claims, "name") or " ".join(parts)).split())[:200]
    return otherwise if not name or has_unseen(name) else name


def _is_used(session: Session, claims: Mapping, at: datetime) -> bool:
    session.execute(delete(UsedIdToken).where(UsedIdToken.expires_at < at))
    return session.get(UsedIdToken, _nonce_hash(claims)) is not None


def _use(session: Session, claims: Mapping, at: datetime) -> None:
    # Kept until the answer is too old to be taken again, however the clocks differ.
    expires_at = at + FRESH + 2 * CLOCKS_APART
    session.add(UsedIdToken(nonce_hash=_nonce_hash(claims), expires_at=expires_at))
    session.flush()


def _nonce_hash(claims: Mapping) -> str:
    return hashlib.sha256(claims["nonce"].encode(errors="replace")).hexdigest()


def _actor(user: User) -> Actor:
    return Actor(user.username, Role(user.role), user.id, user.name)


def _text(claims: Mapping, name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def _values(claims: Mapping, name: str) -> list[str]:
    """The values of a claim: its own name first, then as a path, as in realm_access.roles."""
    found = claims.get(name)
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    values = [value for value in (found if isinstance(found, list) else [found]) if isinstance(value, str)]
    if name != "email":
        return values
    # Anybody can say any address; only one that the provider has checked counts.
    return [*values, *map(str.lower, values)] if claims.get("email_verified") is True else []
