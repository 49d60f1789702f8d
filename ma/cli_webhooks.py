"""Webhooks on the command line: `python -m ma webhook …`."""

from typing import Annotated

import typer

from ma import clock
from ma.terminal import Json, answer, open_database, possible
from ma.types import SYSTEM

WebhookId = Annotated[int, typer.Argument(help="The webhook's id, from the list.", callback=possible)]
Types = Annotated[list[str], typer.Option("--type", help="Events to tell of, such as LeadWon; repeat it.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `webhook`."""
    for name, command in (
        ("add", add), ("list", list_webhooks), ("types", types), ("test", send_test),
        ("deliveries", deliveries), ("retry", retry), ("disable", disable), ("enable", enable),
        
        ("renew-secret", renew_secret), ("delete", delete),
    ):  # fmt: skip
        app.command(name)(command)


def add(
    url: Annotated[str, typer.Argument(help="Where to send to: https://…")],
    name: Annotated[str, typer.Option(help="The system that will be told.")],
    type_names: Types,
    as_json: Json = False,
) -> None:
    """Tell an address of events from now on; prints its secret, this once."""
    from ma.services.webhooks import create_webhook
    from ma.settings import settings
    from ma.webhooks.addresses import Allowed, check

    # Looked up before the database is held.
    address = check(url, Allowed(settings().webhook_allow))
    with open_database() as database, database.writing() as session:
        made = create_webhook(session, SYSTEM, address, name=name, types=type_names, at=clock.now())
    _say_secret(made, as_json)


def list_webhooks(as_json: Json = False) -> None:
    """All webhooks: where they lead, of what they are told, and how that went."""
    from ma.services.webhooks import webhooks

    with open_database() as database, database.reading() as session:
        found = webhooks(session, SYSTEM)
    lines = [
        f"{one.webhook_id:>4}  {_state(one):<20} {one.pending:>6,} waiting {one.delivered:>6,} delivered "
        f"{one.failed:>6,} failed  {one.name}: {one.url}\n      {', '.join(one.types)}"
        for one in found
    ]
    text = "\n".join(lines) or "There are no webhooks."
    answer({"webhooks": [one.__dict__ for one in found]}, as_json, text)


def types(webhook_id: WebhookId, type_names: Types, as_json: Json = False) -> None:
    """Tell a webhook of other events from now on."""
    from ma.services.webhooks import change_types

    with open_database() as database, database.writing() as session:
        change_types(session, SYSTEM, webhook_id, type_names, at=clock.now())
    document = {"webhook_id": webhook_id, "types": sorted(set(type_names))}
    answer(document, as_json, f"Webhook {webhook_id} is told of {', '.join(document['types'])}.")


def send_test(webhook_id: WebhookId, as_json: Json = False) -> None:
    """Send a webhook a message of the type Test; exit code 1 if it was not taken."""
    from ma.services.webhooks import add_test
    from ma.subscribers.deliveries import send_next

    with open_database() as database:
        with database.writing() as session:
            delivery_id = add_test(session, SYSTEM, webhook_id, at=clock.now())
        sent = send_next(database, webhook_id, delivery_id=delivery_id)
    document = {"ok": sent.error is None, "status": sent.status, "error": sent.error}
    answer(document, as_json, sent.error or f"It was taken ({sent.status}, {sent.seconds * 1_000:,.0f} ms).")
    if sent.error:
        raise typer.Exit(1)


def deliveries(
    webhook_id: WebhookId,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many.")] = 20,
    as_json: Json = False,
) -> None:
    """The latest deliveries of a webhook, the latest first."""
    from ma.services import webhooks

    with open_database() as database, database.reading() as session:
        found = webhooks.deliveries(session, SYSTEM, webhook_id, limit=limit)
    lines = [
        f"{one.delivery_id:>8}  {one.created_at:%Y-%m-%d %H:%M:%S}  {one.state:<9} {one.attempts:>3} tried  "
        f"{one.type}{f': {one.error}' if one.error else ''}"
        for one in found
    ]
    text = "\n".join(lines) or "There are no deliveries."
    answer({"deliveries": [one.__dict__ for one in found]}, as_json, text)


def retry(
    webhook_id: WebhookId,
    delivery_id: Annotated[
        int | None, typer.Option("--delivery", help="Only this one, also if it arrived.", callback=possible)
    ] = None,
    as_json: Json = False,
) -> None:
    """Send again what failed or waits."""
    from ma.services.webhooks import retry_deliveries

    with open_database() as database, database.writing() as session:
        count = retry_deliveries(session, SYSTEM, webhook_id, delivery_id=delivery_id, at=clock.now())
    answer({"deliveries": count}, as_json, f"{count:,} deliveries are due now.")


def disable(webhook_id: WebhookId, as_json: Json = False) -> None:
    """Tell a webhook of nothing any more."""
    _change("disable_webhook", webhook_id, "disabled", as_json)


def enable(webhook_id: WebhookId, as_json: Json = False) -> None:
    """Tell a webhook again: what waits for it at once, and what happens from now on."""
    _change("enable_webhook", webhook_id, "enabled", as_json)


def delete(webhook_id: WebhookId, as_json: Json = False) -> None:
    """Forget a webhook with all its deliveries."""
    _change("delete_webhook", webhook_id, "deleted", as_json)


def renew_secret(webhook_id: WebhookId, as_json: Json = False) -> None:
    """Give a webhook a new secret and print it, this once; the old one signs beside it for a day."""
    from ma.services import webhooks

    with open_database() as database, database.writing() as session:
        made = webhooks.renew_secret(session, SYSTEM, webhook_id, at=clock.now())
    _say_secret(made, as_json)


def _change(function: str, webhook_id: int, done: str, as_json: bool) -> None:
    from ma.services import webhooks

    with open_database() as database, database.writing() as session:
        getattr(webhooks, function)(session, SYSTEM, webhook_id, at=clock.now())
    answer({"webhook_id": webhook_id, done: True}, as_json, f"Webhook {webhook_id} is {done}.")


def _say_secret(made, as_json: bool) -> None:
    document = {"webhook_id": made.webhook_id, "secret": made.secret}
    words = f"Webhook {made.webhook_id}. Its secret, shown only now:\n{made.secret}"
    answer(document, as_json, words)


def _state(one) -> str:
    if one.disabled_at is not None:
        return f"disabled ({one.disabled_why})"
    return "active" if one.failing_since is None else f"failing since {one.failing_since:%d %b}"
