"""Whom an answer of the identity provider lets in, as whom, and with which role."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from secrets import token_urlsafe

import pytest
from sqlalchemy import func, select

from ma import clock
from ma.errors import Conflict, InvalidInput, NotAllowed, NotSignedIn
from ma.models import Audit, Identity, SignInFailure, UsedIdToken, User, UserSession
from ma.services import auth
from ma.services.company_sign_in import (
    DISABLED,
    LAST_ADMIN,
    NO_ROLE,
    NOT_OURS,
    USED,
    Provider,
    join,
    provider,
    sign_in,
)
from ma.services.tokens import create_token, token_actor
from ma.services.workspace import create_workspace
from ma.settings import Settings
from ma.types import SYSTEM, Role

ISSUER, CLIENT_ID = "https://login.example.com/realms/company", "workbench"
ROLES = {"marketing": Role.MARKETER, "analysts": Role.ANALYST, "bosses": Role.ADMIN}
AGREED = Provider(ISSUER, CLIENT_ID, ("groups",), ROLES, None)
PASSWORD = "green tea at four"


@pytest.fixture
def workbench(database, monkeypatch):
    """A workspace with a local admin."""
    monkeypatch.setattr(auth, "BCRYPT_COST", 4)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Shop", timezone="UTC", currency="EUR", at=clock.now())
        auth.create_user(
            session,
            SYSTEM,
            username="anna@example.com",
            name="Anna Local",
            role="admin",
            password=PASSWORD,
            at=clock.now(),
        )
    return database


def answer(**changed):
    """The claims of an answer that was just given, and never before."""
    claims = {
        "iss": ISSUER,
        "aud": CLIENT_ID,
        "sub": "bo-1",
        "iat": int(clock.now().timestamp()),
        "nonce": token_urlsafe(),
        "name": "Bo Berg",
        "preferred_username": "bo",
        "groups": ["marketing"],
    }
    return {name: value for name, value in {**claims, **changed}.items() if value is not None}


@pytest.fixture
def enter(workbench):
    """Signs in with an answer; gives the token of the session."""

    def go(claims, agreed=AGREED, at=None):
        ticket = sign_in(workbench, claims, provider=agreed, at=at or clock.now())
        with workbench.writing() as session:
            return auth.redeem_ticket(session, ticket, at=clock.now())

    return go


@pytest.fixture
def refused(enter):
    """Why an answer lets nobody in."""

    def go(claims, agreed=AGREED, at=None):
        with pytest.raises(NotSignedIn) as refusal:
            enter(claims, agreed, at)
        return str(refusal.value)

    return go


@pytest.fixture
def who(workbench):
    """Who a session's token signs in."""

    def ask(token):
        with workbench.reading() as session:
            return auth.session_actor(session, token, now=clock.now())

    return ask


def count(database, table):
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(table))


def audited(database):
    with database.reading() as session:
        entries = session.scalars(select(Audit).where(Audit.noun == "user").order_by(Audit.id)).all()
        return [(entry.actor, entry.action) for entry in entries][1:]


def test_a_first_answer_makes_an_account_and_the_next_one_finds_it(workbench, enter, who):
    actor = who(enter(answer()))
    assert (actor.username, actor.name, actor.role) == ("bo", "Bo Berg", Role.MARKETER)
    again = who(enter(answer(name="Bo Lindberg", preferred_username="bo.l", email="bo@example.com")))
    assert (again.user_id, again.username, again.name) == (actor.user_id, "bo", "Bo Lindberg")
    assert count(workbench, User) == 2
    assert audited(workbench) == [("system", "create"), ("bo", "sign in"), ("bo", "sign in")]


@pytest.mark.parametrize("verified", [True, False, "true", None])
def test_an_e_mail_address_never_opens_somebody_elses_account(workbench, enter, who, verified):
    claims = answer(
        sub="not-anna",
        email="Anna@Example.com",
        email_verified=verified,
        preferred_username="anna@example.com",
    )
    actor = who(enter(claims))
    assert actor.username == "anna@example.com-2"
    assert actor.role == Role.MARKETER
    with workbench.reading() as session:
        local = session.scalar(select(User).where(User.username == "anna@example.com"))
        assert (local.name, local.role, local.id != actor.user_id) == ("Anna Local", "admin", True)
        assert session.scalars(select(Identity.user_id)).all() == [actor.user_id]


def test_an_unchecked_address_is_no_user_name(enter, who):
    unchecked = answer(email="boss@example.com", email_verified=False)
    assert who(enter(unchecked)).username == "bo"
    checked = answer(sub="cy-1", email="Cy@Example.com", email_verified=True, preferred_username="boss")
    assert who(enter(checked)).username == "cy@example.com"


@pytest.mark.parametrize(
    ("called", "expected"),
    [
        ("system", "system-2"),
        ("Unknown", "unknown-2"),
        ("bo berg\n", "boberg"),
        ("x" * 300, "x" * 90),
        ("\u202ebo", "user"),
        (None, "user"),
        (["bo"], "user"),
    ],
)
def test_user_names_are_possible_and_nobody_elses(enter, who, called, expected):
    assert who(enter(answer(preferred_username=called))).username == expected


def test_the_same_subject_of_another_provider_is_another_person(enter, who):
    elsewhere = "https://elsewhere.example.com"
    agreed = Provider(elsewhere, CLIENT_ID, ("groups",), ROLES, None)
    first = who(enter(answer()))
    assert who(enter(answer(iss=elsewhere), agreed)).user_id != first.user_id


def test_no_password_opens_the_account_of_somebody_from_the_company(workbench, enter):
    enter(answer())
    with workbench.reading() as session:
        account = auth.find_account(session, "bo")
    assert account.password_hash.startswith("$2b$")
    assert not any(auth.matches(guess, account.password_hash) for guess in ("", "bo", account.password_hash))


# Roles


@pytest.mark.parametrize(
    ("claims", "given", "role"),
    [
        ("groups", {"groups": ["analysts", "marketing", "others"]}, Role.MARKETER),
        ("groups", {"groups": "bosses"}, Role.ADMIN),
        ("groups", {"groups": ["Bosses"]}, None),
        ("groups", {"groups": [["bosses"], {"bosses": 1}, 7, None]}, None),
        ("groups", {"groups": {"bosses": True}}, None),
        ("groups", {"groups": None}, None),
        ("realm_access.roles", {"realm_access": {"roles": ["analysts"]}}, Role.ANALYST),
        ("realm_access.roles", {"realm_access": "analysts"}, None),
        ("https://example.com/roles", {"https://example.com/roles": ["analysts"]}, Role.ANALYST),
        ("hd, groups", {"hd": "analysts", "groups": ["x"]}, Role.ANALYST),
        ("hd, groups", {"hd": "analysts", "groups": ["bosses"]}, Role.ADMIN),
        ("email", {"email": "Marketing", "email_verified": True}, Role.MARKETER),
        ("email", {"email": "marketing", "email_verified": False}, None),
        ("email", {"email": "marketing", "email_verified": "true"}, None),
        ("email", {"email": "marketing"}, None),
    ],
)
def test_the_highest_role_that_the_claims_give(claims, given, role):
    settings = Settings(
        oidc_issuer=ISSUER,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret="s",
        oidc_role_claim=claims,
        oidc_roles=ROLES,
        _env_file=None,
    )
    assert provider(settings).role_of(given) == role


def test_a_default_role_is_for_whom_the_claims_give_none():
    agreed = Provider(ISSUER, CLIENT_ID, ("groups",), ROLES, Role.VIEWER)
    assert agreed.role_of({"groups": ["others"]}) == Role.VIEWER
    assert agreed.role_of({"groups": ["bosses"]}) == Role.ADMIN


def test_another_role_at_the_company_is_another_role_here_and_ends_older_sessions(enter, who):
    older = enter(answer())
    newer = enter(answer(groups=["analysts"]))
    assert who(older) is None
    assert who(newer).role == Role.ANALYST
    assert who(enter(answer(groups=["bosses"]))).role == Role.ADMIN


def test_without_a_role_nobody_comes_in_and_no_account_is_made(workbench, refused):
    assert refused(answer(groups=["others"])) == NO_ROLE
    assert (count(workbench, User), count(workbench, Identity)) == (1, 0)
    assert audited(workbench) == [("unknown", "sign in refused")]


def test_who_has_lost_the_last_role_loses_sessions_and_tokens(workbench, enter, refused, who):
    token = enter(answer())
    with workbench.writing() as session:
        secret = create_token(
            session, SYSTEM, name="report", role="viewer", username="bo", at=clock.now()
        ).secret
    assert refused(answer(groups=[])) == NO_ROLE
    assert who(token) is None
    with workbench.reading() as session:
        assert token_actor(session, secret, now=clock.now()) is None
    assert audited(workbench)[-1] == ("bo", "sign in refused")
    assert who(enter(answer())).username == "bo"


def test_a_disabled_account_stays_shut(workbench, enter, refused, who):
    user_id = who(enter(answer())).user_id
    with workbench.writing() as session:
        auth.set_active(session, SYSTEM, user_id=user_id, active=False, at=clock.now())
    assert refused(answer(groups=["bosses"])) == DISABLED
    assert count(workbench, UserSession) == 0
    # A password would make it a local account, and the same person a new one at the next sign-in.
    with pytest.raises(Conflict, match="Enable the account first"), workbench.writing() as session:
        auth.change_password(session, SYSTEM, user_id=user_id, password=PASSWORD, at=clock.now())
    assert refused(answer(groups=["bosses"])) == DISABLED


def test_the_last_admin_is_told_and_signed_out(workbench, enter, refused, who):
    with workbench.reading() as session:
        local = auth.find_account(session, "anna@example.com").user_id
    token = enter(answer(groups=["bosses"]))
    with workbench.writing() as session:
        auth.set_role(session, SYSTEM, user_id=local, role="viewer", at=clock.now())
    assert refused(answer(groups=["analysts"])) == LAST_ADMIN
    assert who(token) is None
    assert who(enter(answer(groups=["bosses"]))).role == Role.ADMIN


# Answers that count for nothing


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "https://elsewhere.test"}, NOT_OURS),
        ({"iss": None}, NOT_OURS),
        ({"aud": "another-app", "azp": CLIENT_ID}, NOT_OURS),
        ({"aud": ["another-app"], "azp": CLIENT_ID}, NOT_OURS),
        ({"aud": CLIENT_ID + "-2"}, NOT_OURS),
        ({"aud": None}, NOT_OURS),
        ({"sub": None}, NOT_OURS),
        ({"sub": ""}, NOT_OURS),
        ({"sub": 7}, NOT_OURS),
        ({"sub": "x" * 256}, NOT_OURS),
        ({"nonce": None}, USED),
        ({"iat": None}, USED),
        ({"iat": "now"}, USED),
        ({"iat": float("nan")}, USED),
        ({"iat": 1e300}, USED),
        ({"iat": -5}, USED),
    ],
)
def test_an_answer_for_somebody_else_or_without_its_marks_lets_nobody_in(workbench, refused, changed, reason):
    assert refused(answer(**changed)) == reason
    assert count(workbench, User) == 1


def test_an_audience_of_several_may_name_us(enter, who):
    assert who(enter(answer(aud=["another-app", CLIENT_ID], iss=ISSUER + "/"))).username == "bo"


def test_an_answer_counts_once(workbench, enter, refused, who):
    claims = answer()
    token = enter(claims)
    assert refused(claims) == USED
    with workbench.writing() as session:
        auth.end_session(session, token, at=clock.now())
    assert refused(claims) == USED
    assert count(workbench, UserSession) == 0


def test_the_same_answer_at_the_same_moment_counts_once(workbench):
    claims = answer()

    def go(_):
        try:
            return sign_in(workbench, claims, provider=AGREED, at=clock.now())
        except NotSignedIn as refusal:
            return str(refusal)

    with ThreadPoolExecutor(4) as browsers:
        outcomes = list(browsers.map(go, range(4)))
    assert sorted(outcome == USED for outcome in outcomes) == [False, True, True, True]
    assert (count(workbench, User), count(workbench, Identity)) == (2, 1)


def test_an_old_answer_counts_for_nothing_and_is_forgotten(workbench, enter, refused):
    claims = answer()
    later = clock.now() + timedelta(minutes=5, seconds=2)
    assert refused(claims, at=later) == USED
    ahead = answer(iat=int((clock.now() + timedelta(minutes=3)).timestamp()))
    assert refused(ahead) == USED
    enter(answer())
    much_later = clock.now() + timedelta(minutes=20)
    enter(answer(iat=int(much_later.timestamp())), at=much_later)
    assert count(workbench, UsedIdToken) == 1


def test_refusals_hold_nobody_up_who_types_a_password(workbench, refused):
    for _ in range(6):
        refused(answer(groups=[]))
    assert count(workbench, SignInFailure) == 0


# One person, two accounts


def test_a_person_of_the_company_can_keep_an_older_local_account(workbench, enter, who):
    with workbench.writing() as session:
        local = auth.find_account(session, "anna@example.com").user_id
        auth.create_user(
            session, SYSTEM, username="b", name="B", role="admin", password=PASSWORD, at=clock.now()
        )
    theirs = enter(answer(groups=["analysts"]))
    with workbench.writing() as session:
        join(session, SYSTEM, username="Anna@example.com", company_username="bo", at=clock.now())
    assert who(theirs) is None
    actor = who(enter(answer(groups=["analysts"])))
    assert (actor.user_id, actor.username, actor.role) == (local, "anna@example.com", Role.ANALYST)
    with workbench.reading() as session:
        assert not auth.matches(PASSWORD, auth.find_account(session, "anna@example.com").password_hash)
        assert auth.find_account(session, "bo") is None
    assert ("system", "join") in audited(workbench)


@pytest.mark.parametrize(
    ("names", "fields"),
    [
        (("nobody", "bo"), {"username"}),
        (("bo", "bo"), {"username"}),
        (("anna@example.com", "anna@example.com"), {"company_username"}),
        (("nobody", "nobody"), {"username", "company_username"}),
    ],
)
def test_only_a_local_account_and_one_of_the_company_can_be_joined(workbench, enter, names, fields):
    enter(answer())
    with pytest.raises(InvalidInput) as refused, workbench.writing() as session:
        join(session, SYSTEM, username=names[0], company_username=names[1], at=clock.now())
    assert set(refused.value.problems) == fields


def test_joining_is_for_admins(workbench, enter, who):
    actor = who(enter(answer()))
    with pytest.raises(NotAllowed), workbench.writing() as session:
        join(session, actor, username="anna@example.com", company_username="bo", at=clock.now())


def test_who_is_given_a_password_here_has_a_local_account(workbench, enter, who):
    first = who(enter(answer()))
    with workbench.writing() as session:
        auth.change_password(session, SYSTEM, user_id=first.user_id, password=PASSWORD, at=clock.now())
    assert count(workbench, Identity) == 0
    assert who(enter(answer())).username == "bo-2"
