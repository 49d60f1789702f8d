"""People who may sign in, on the command line: `python -m ma user …`."""

from typing import Annotated

import typer

from ma import clock
from ma.settings import settings
from ma.terminal import Json, answer, open_database
from ma.types import SYSTEM, Role

Username = Annotated[str, typer.Argument(help="The name they sign in with.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `user`."""
    for name, command in (
        ("add", add), ("list", list_users), ("role", role), ("disable", disable), ("enable", enable),
        ("password", password), ("join", join),
    ):  # fmt: skip
        app.command(name)(command)


def add(
    username: Username,
    role: Annotated[Role, typer.Option(help="What they may do.")] = Role.VIEWER,
    name: Annotated[str, typer.Option(help="Their name on screens.")] = "",
    as_json: Json = False,
) -> None:
    """Add a person who may sign in; the password is asked for, or taken from MA_PASSWORD."""
    from ma.services.auth import create_user

    given = _password()
    with open_database() as database, database.writing() as session:
        create_user(
            session,
            SYSTEM,
            username=username,
            name=name or username,
            role=role,
            password=given,
            at=clock.now(),
        )
    answer({"username": username, "role": role}, as_json, f"{username} may sign in as {role}.")


def list_users(as_json: Json = False) -> None:
    """Everybody who may sign in, or might once."""
    from ma.services.users import users

    with open_database() as database, database.reading() as session:
        found = users(session, SYSTEM, now=clock.now())
    lines = [
        f"{one.username:<20} {one.role:<9} {'active' if one.active else 'disabled':<9} "
        f"{f'signed in {one.signed_in_at:%Y-%m-%d %H:%M}' if one.signed_in_at else 'never signed in':<26} "
        f"{one.name}"
        for one in found
    ]
    answer({"users": [one.__dict__ for one in found]}, as_json, "\n".join(lines) or "There is nobody.")


def role(
    username: Username,
    role: Annotated[Role, typer.Argument(help="What they may do from now on.")],
    as_json: Json = False,
) -> None:
    """Give somebody another role; they are signed out."""
    from ma.services.auth import set_role
    from ma.services.users import user_id_of

    with open_database() as database, database.writing() as session:
        set_role(session, SYSTEM, user_id=user_id_of(session, username), role=role, at=clock.now())
    answer({"username": username, "role": role}, as_json, f"{username} is {role} now.")


def disable(username: Username, as_json: Json = False) -> None:
    """Let somebody sign in no longer; they are signed out."""
    _set_active(username, False, as_json)


def enable(username: Username, as_json: Json = False) -> None:
    """Let somebody sign in again."""
    _set_active(username, True, as_json)


def password(username: Username, as_json: Json = False) -> None:
    """Give somebody another password, asked for or taken from MA_PASSWORD; they are signed out."""
    from ma.services.auth import change_password
    from ma.services.users import user_id_of

    given = _password()
    with open_database() as database, database.writing() as session:
        user_id = user_id_of(session, username)
        change_password(session, SYSTEM, user_id=user_id, password=given, at=clock.now())
    answer({"username": username}, as_json, f"{username} has a new password; their tokens are revoked.")


def join(
    username: Annotated[str, typer.Argument(help="The local account that they are to keep.")],
    company_username: Annotated[
        str, typer.Argument(help="The account they got by signing in at the company.")
    ],
    as_json: Json = False,
) -> None:
    """Let somebody who signs in at the company use their older local account; the new one is disabled."""
    from ma.services.company_sign_in import join as join_accounts

    with open_database() as database, database.writing() as session:
        join_accounts(session, SYSTEM, username=username, company_username=company_username, at=clock.now())
    document = {"username": username, "disabled": company_username}
    answer(document, as_json, f"{company_username} signs in as {username} from now on, at the company only.")


def _set_active(username: str, active: bool, as_json: bool) -> None:
    from ma.services.auth import set_active
    from ma.services.users import user_id_of

    with open_database() as database, database.writing() as session:
        set_active(session, SYSTEM, user_id=user_id_of(session, username), active=active, at=clock.now())
    said = "may sign in again" if active else "may sign in no longer"
    answer({"username": username, "active": active}, as_json, f"{username} {said}.")


def _password() -> str:
    given = settings().password
    if given:
        return given.get_secret_value()
    return typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
