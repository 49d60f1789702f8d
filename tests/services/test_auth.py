"""Accounts, passwords, failed attempts, tickets and sessions, on both databases."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import bcrypt
import pytest
from sqlalchemy import select

from ma.errors import Conflict, InvalidInput, NotAllowed, NotFound
from ma.models import Audit, SignInFailure, SignInTicket, User, UserSession
from ma.services import auth
from ma.services.passwords import password_problem
from ma.types import SYSTEM, Actor, Role

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
PASSWORD = "green tea at four"
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch):
    monkeypatch.setattr(auth, "BCRYPT_COST", 4)
    auth.dummy_hash.cache_clear()
    yield
    auth.dummy_hash.cache_clear()


@pytest.fixture
def user(database):
    """Makes a user and gives their id."""

    def make(username="marie", role="marketer", password=PASSWORD, **options):
        with database.writing() as session:
            return auth.create_user(
                session,
                SYSTEM,
                username=username,
                name="Marie",
                role=role,
                password=password,
                at=AT,
                **options,
            )

    return make


@pytest.fixture
def token(database):
    """Signs a user in and gives the session's token."""

    def make(user_id, at=AT):
        with database.writing() as session:
            ticket = auth.issue_ticket(session, user_id, at=at)
            return auth.redeem_ticket(session, ticket, at=at)

    return make


@pytest.fixture
def who(database):
    """Whom a token signs in."""

    def read(token, now=AT):
        with database.reading() as session:
            return auth.session_actor(session, token, now=now)

    return read


def audit_entries(database):
    with database.reading() as session:
        return session.scalars(select(Audit).order_by(Audit.id)).all()


# Accounts


def test_a_user_is_stored_with_a_bcrypt_hash_and_a_folded_name(database, user):
    user(username="  Marie ")
    with database.reading() as session:
        stored = session.scalar(select(User))
    assert stored.username == "marie"
    assert stored.password_hash.startswith("$2b$")
    assert bcrypt.checkpw(PASSWORD.encode(), stored.password_hash.encode())
    assert [(e.action, e.noun, e.detail) for e in audit_entries(database)] == [
        ("create", "user", {"role": "marketer"})
    ]


def test_a_refused_user_names_every_problem_and_changes_nothing(database):
    with pytest.raises(InvalidInput) as error, database.writing() as session:
        auth.create_user(session, SYSTEM, username="a b", name=" ", role="boss", password="short", at=AT)
    assert set(error.value.problems) == {"username", "name", "role", "password"}
    with database.reading() as session:
        assert session.scalars(select(User)).all() == []


def test_a_user_name_is_taken_in_any_spelling(user):
    user(username="marie")
    with pytest.raises(InvalidInput, match="taken"):
        user(username="MARIE")


def test_only_admins_manage_users(database, user):
    user_id = user()
    marketer = Actor("paul", Role.MARKETER, user_id=99)
    with database.writing() as session:
        for change in (
            lambda: auth.create_user(
                session, marketer, username="eve", name="Eve", role="admin", password=PASSWORD, at=AT
            ),
            lambda: auth.set_role(session, marketer, user_id=user_id, role="admin", at=AT),
            lambda: auth.set_active(session, marketer, user_id=user_id, active=False, at=AT),
            lambda: auth.change_password(session, marketer, user_id=user_id, password=PASSWORD, at=AT),
        ):
            with pytest.raises(NotAllowed, match="admin"):
                change()


def test_an_unknown_user_cannot_be_changed(database):
    with pytest.raises(NotFound), database.writing() as session:
        auth.set_active(session, SYSTEM, user_id=404, active=False, at=AT)


def test_the_last_admin_stays_one(database, user):
    admin = user(username="ada", role="admin")
    for change in (
        lambda session: auth.set_role(session, SYSTEM, user_id=admin, role="viewer", at=AT),
        lambda session: auth.set_active(session, SYSTEM, user_id=admin, active=False, at=AT),
    ):
        with pytest.raises(Conflict, match="last active admin"), database.writing() as session:
            change(session)
    user(username="bea", role="admin")
    with database.writing() as session:
        auth.set_role(session, SYSTEM, user_id=admin, role="viewer", at=AT)


# Passwords


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("elevenchars", "at least 12"),
        ("a" * 6 + "é" * 34, "only 72 would count"),
        (" green tea at four", "space"),
        ("green\x00tea at four", "control character"),
        ("password1234", "guessed first"),
        ("P@ssw0rd2024!", "guessed first"),
        ("letmeinletmein", "guessed first"),
        ("123456789012", "guessed first"),
        ("987654321098", "guessed first"),
        ("qwertzuiop12", "guessed first"),
        ("1q2w3e4r5t6y", "guessed first"),
        ("abcabcabcabc", "guessed first"),
        ("marie2024!!!", "guessed first"),
    ],
)
def test_a_password_is_refused_with_its_reason(password, reason):
    assert reason in password_problem(password, "marie")


@pytest.mark.parametrize(
    "password",
    ["green tea at four", "ohne-Grossbuchstaben", "七つの子がないているよよ", "x" * 60 + "yz0123456789"],
)
def test_a_password_of_12_characters_to_72_bytes_is_accepted(password):
    assert len(password) >= 12
    assert len(password.encode()) <= 72
    assert password_problem(password, "marie") is None


def test_only_the_demo_login_passes_the_rules_and_only_when_asked(database, user):
    with pytest.raises(InvalidInput, match="at least 12"):
        user(username="admin", password="admin123", role="admin")
    with pytest.raises(InvalidInput, match="at least 12"):
        user(username="paul", password="admin123", demo=True)
    with database.reading() as session:
        assert not auth.has_demo_login(session)
    user_id = user(username="admin", password="admin123", role="admin", demo=True)
    with database.reading() as session:
        assert auth.has_demo_login(session)
    with database.writing() as session:
        auth.change_password(session, SYSTEM, user_id=user_id, password=PASSWORD, at=AT)
    with database.reading() as session:
        assert not auth.has_demo_login(session)


def test_ones_own_password_needs_the_current_one(database, user):
    user_id = user()
    marie = Actor("marie", Role.MARKETER, user_id=user_id)
    with pytest.raises(InvalidInput) as error, database.writing() as session:
        auth.change_password(session, marie, user_id=user_id, password="short", current="wrong", at=AT)
    assert set(error.value.problems) == {"current", "password"}
    with database.writing() as session:
        auth.change_password(
            session, marie, user_id=user_id, password="black tea at five", current=PASSWORD, at=AT
        )
        stored = session.get(User, user_id)
        assert auth.matches("black tea at five", stored.password_hash)


def test_a_legacy_hash_is_accepted_once_and_replaced(database, user):
    user_id = user()
    legacy = hashlib.sha256(b"old pw").hexdigest()
    with database.writing() as session:
        session.get(User, user_id).password_hash = legacy
    with database.reading() as session:
        account = auth.find_account(session, "marie")
    with database.writing() as session:
        assert not auth.upgrade_legacy(session, account, "wrong", at=AT)
    with database.writing() as session:
        assert auth.upgrade_legacy(session, account, "old pw", at=AT)
    with database.reading() as session:
        upgraded = auth.find_account(session, "marie")
    assert upgraded.password_hash.startswith("$2b$")
    assert auth.matches("old pw", upgraded.password_hash)
    with database.writing() as session:
        assert not auth.upgrade_legacy(session, upgraded, "old pw", at=AT)


def test_more_than_72_bytes_fit_no_hash(user, database):
    user(password="x" * 60 + "yz0123456789")
    with database.reading() as session:
        account = auth.find_account(session, "marie")
    assert auth.matches("x" * 60 + "yz0123456789", account.password_hash)
    assert not auth.matches("x" * 60 + "yz0123456789 and more", account.password_hash)


# Failed attempts


@pytest.fixture
def attempt(database):
    """One attempt that fails; gives how long it had to wait instead, zero if it was checked."""

    def make(at, username="marie", address=None):
        with database.writing() as session:
            return auth.begin_attempt(session, username=username, address=address, at=at)

    return make


def test_the_fifth_failure_waits_a_second_and_each_further_one_twice_as_long(attempt):
    now = AT
    for _ in range(5):
        assert attempt(now) == timedelta()
    waits = []
    for _ in range(12):
        wait = attempt(now)
        waits.append(wait.total_seconds())
        now += wait
        assert attempt(now) == timedelta()
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_a_blocked_attempt_is_not_counted(attempt):
    for _ in range(5):
        attempt(AT)
    for _ in range(50):
        assert attempt(AT) == SECOND
    assert attempt(AT + SECOND) == timedelta()


def test_failures_are_forgotten_after_an_hour(attempt):
    for _ in range(5):
        attempt(AT)
    later = AT + HOUR + SECOND
    for _ in range(5):
        assert attempt(later) == timedelta()
    assert attempt(later) == SECOND


def test_unknown_names_wait_like_known_ones(attempt, user):
    user()
    for name in ("marie", "nobody"):
        for _ in range(5):
            assert attempt(AT, username=name) == timedelta()
        assert attempt(AT, username=name.upper()) == SECOND


def test_an_address_waits_whatever_names_it_tries(attempt):
    for number in range(5):
        assert attempt(AT, username=f"user{number}", address="203.0.113.9") == timedelta()
    assert attempt(AT, username="user6", address="203.0.113.9") == SECOND
    assert attempt(AT, username="user6", address="203.0.113.10") == timedelta()


def test_signing_in_forgets_the_accounts_failures_but_not_the_addresss(database, user, attempt):
    user()
    for _ in range(3):
        attempt(AT, address="203.0.113.9")
    with database.writing() as session:
        account = auth.find_account(session, "marie")
        auth.begin_attempt(session, username="marie", address="203.0.113.9", at=AT)
        auth.record_success(session, account, address="203.0.113.9", at=AT)
    with database.reading() as session:
        left = {row.subject: row.failures for row in session.scalars(select(SignInFailure))}
    assert left == {"address:203.0.113.9": 3}


def test_attempts_at_the_same_moment_are_all_counted(attempt):
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda _: attempt(AT), range(12)))
    assert sum(wait == timedelta() for wait in waits) == 5


def test_what_was_typed_as_a_name_is_not_kept(database, attempt):
    attempt(AT, username="my secret password")
    with database.writing() as session:
        auth.record_failure(session, username="my secret password", at=AT)
    with database.reading() as session:
        kept = [row.subject for row in session.scalars(select(SignInFailure))]
    entries = [(e.actor, e.action, e.object_id, e.detail) for e in audit_entries(database)]
    assert entries == [("unknown", "sign in failed", None, {})]
    assert "secret" not in str(kept)


def test_a_failure_and_a_success_are_audited_with_the_accounts_name(database, user):
    user_id = user()
    with database.writing() as session:
        auth.record_failure(session, username="Marie", at=AT)
        auth.record_success(session, auth.find_account(session, "marie"), address=None, at=AT)
    assert [(e.actor, e.action, e.object_id) for e in audit_entries(database)[1:]] == [
        ("marie", "sign in failed", str(user_id)),
        ("marie", "sign in", str(user_id)),
    ]


# Sessions


def test_a_ticket_is_swapped_once(database, user, who):
    user_id = user()
    with database.writing() as session:
        ticket = auth.issue_ticket(session, user_id, at=AT)

    def redeem(_):
        with database.writing() as session:
            return auth.redeem_ticket(session, ticket, at=AT + SECOND)

    with ThreadPoolExecutor(4) as pool:
        tokens = [token for token in pool.map(redeem, range(6)) if token]
    assert len(tokens) == 1
    assert who(tokens[0], AT + SECOND) == Actor("marie", Role.MARKETER, user_id, "Marie")


def test_a_ticket_lives_a_minute(database, user):
    user_id = user()
    with database.writing() as session:
        ticket = auth.issue_ticket(session, user_id, at=AT)
    with database.writing() as session:
        assert auth.redeem_ticket(session, ticket, at=AT + MINUTE + SECOND) is None
    with database.writing() as session:
        assert auth.redeem_ticket(session, "invented", at=AT) is None


def test_tokens_and_tickets_are_kept_as_hashes_only(database, user, token):
    user_id = user()
    bearer = token(user_id)
    with database.writing() as session:
        ticket = auth.issue_ticket(session, user_id, at=AT)
    with database.reading() as session:
        assert session.scalars(select(UserSession.token_hash)).all() == [
            hashlib.sha256(bearer.encode()).hexdigest()
        ]
        assert session.scalars(select(SignInTicket.ticket_hash)).all() == [
            hashlib.sha256(ticket.encode()).hexdigest()
        ]


def test_a_session_ends_after_8_idle_hours(database, user, token, who):
    bearer = token(user())
    assert who(bearer, AT + 8 * HOUR - SECOND)
    assert who(bearer, AT + 8 * HOUR) is None
    with database.writing() as session:
        auth.record_seen(session, bearer, now=AT + 7 * HOUR)
    assert who(bearer, AT + 15 * HOUR - SECOND)


def test_a_session_ends_after_24_hours_however_busy(database, user, token, who):
    bearer = token(user())
    for hours in range(1, 25):
        with database.writing() as session:
            auth.record_seen(session, bearer, now=AT + hours * HOUR)
    assert who(bearer, AT + 24 * HOUR - SECOND)
    assert who(bearer, AT + 24 * HOUR) is None


def test_being_seen_is_due_once_a_minute(database, user, token):
    bearer = token(user())
    with database.reading() as session:
        assert not auth.seen_is_due(session, bearer, now=AT + 59 * SECOND)
        assert auth.seen_is_due(session, bearer, now=AT + MINUTE)
        assert not auth.seen_is_due(session, "invented", now=AT + MINUTE)


def test_signing_out_ends_this_session_only(database, user, token, who):
    user_id = user()
    here, elsewhere = token(user_id), token(user_id)
    with database.writing() as session:
        assert auth.end_session(session, here, at=AT)
    assert who(here) is None
    assert who(elsewhere)
    with database.writing() as session:
        assert not auth.end_session(session, here, at=AT)
    assert [e.action for e in audit_entries(database)].count("sign out") == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda s, user_id: auth.set_active(s, SYSTEM, user_id=user_id, active=False, at=AT),
        lambda s, user_id: auth.set_role(s, SYSTEM, user_id=user_id, role="viewer", at=AT),
        lambda s, user_id: auth.change_password(s, SYSTEM, user_id=user_id, password="black tea at 5", at=AT),
    ],
    ids=["disabling", "another role", "another password"],
)
def test_a_change_to_the_account_ends_all_its_sessions_and_tickets(database, user, token, who, change):
    user_id, other_id = user(), user(username="paul")
    bearers, other = [token(user_id), token(user_id)], token(other_id)
    with database.writing() as session:
        ticket = auth.issue_ticket(session, user_id, at=AT)
    with database.writing() as session:
        change(session, user_id)
    assert [who(bearer) for bearer in bearers] == [None, None]
    assert who(other)
    with database.writing() as session:
        assert auth.redeem_ticket(session, ticket, at=AT) is None


def test_a_disabled_account_cannot_be_found_until_it_is_enabled(database, user):
    user_id = user()
    for active in (False, True):
        with database.writing() as session:
            auth.set_active(session, SYSTEM, user_id=user_id, active=active, at=AT)
        with database.reading() as session:
            assert bool(auth.find_account(session, "marie")) is active
