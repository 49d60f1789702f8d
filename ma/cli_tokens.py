"""Tokens of the API on the command line: `python -m ma token …`."""

from typing import Annotated

import typer

from ma import clock
from ma.terminal import Json, answer, open_database, possible
from ma.types import SYSTEM, Role


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `token`."""
    for name, command in (("create", create), ("list", list_tokens), ("revoke", revoke)):
        app.command(name)(command)


def create(
    username: Annotated[str, typer.Argument(help="In whose name the program acts.")],
    name: Annotated[str, typer.Option(help="What will use it, such as “nightly report”.")],
    role: Annotated[Role, typer.Option(help="What it may do; at most what the user may.")] = Role.VIEWER,
    days: Annotated[int | None, typer.Option(help="It ends after so many days; never without it.")] = None,
    as_json: Json = False,
) -> None:
    """Make a token for a user and print it, this once."""
    from ma.services.tokens import create_token

    with open_database() as database, database.writing() as session:
        made = create_token(
            session, SYSTEM, username=username, name=name, role=role, days=days, at=clock.now()
        )
    document = {"token_id": made.token_id, "token": made.secret}
    words = f"Token {made.token_id}, shown only now:\n{made.secret}\nSend it as: Authorization: Bearer …"
    answer(document, as_json, words)


def list_tokens(as_json: Json = False) -> None:
    """All tokens: whose they are, what they may do, when they were used; never the tokens themselves."""
    from ma.services.tokens import tokens

    with open_database() as database, database.reading() as session:
        found = tokens(session, SYSTEM, now=clock.now())
    lines = [
        f"{one.token_id:>4}  {one.hint}…  {one.username:<20} {one.role:<9} {one.ended or 'active':<13} "
        f"{f'last used {one.last_used_at:%Y-%m-%d %H:%M}' if one.last_used_at else 'never used'}  {one.name}"
        for one in found
    ]
    answer({"tokens": [one.__dict__ for one in found]}, as_json, "\n".join(lines) or "There are no tokens.")


def revoke(
    token_id: Annotated[int, typer.Argument(help="The token's id, from the list.", callback=possible)],
    as_json: Json = False,
) -> None:
    """End a token: it opens nothing from the next request on."""
    from ma.services.tokens import revoke_token

    with open_database() as database, database.writing() as session:
        revoke_token(session, SYSTEM, token_id, at=clock.now())
    answer({"token_id": token_id, "revoked": True}, as_json, f"Token {token_id} is revoked.")
