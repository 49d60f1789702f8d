"""The command line: `python -m ma`. With --json a command prints one JSON document and nothing else."""

import json
import sys
from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from ma import (
    cli_events,
    cli_files,
    cli_operations,
    cli_report,
    cli_segments,
    cli_tokens,
    cli_users,
    cli_value,
    cli_webhooks,
)
from ma.db import migrate
from ma.db.engine import connect, forbidden, trouble
from ma.errors import MaError
from ma.log import log_error
from ma.settings import settings
from ma.terminal import Json, answer, open_database, open_workbench, possible, progress, say, say_frame
from ma.types import SYSTEM

app = typer.Typer(
    help="The marketing workbench on the command line.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
segment_app = typer.Typer(help="List, count, explain and refresh segments.", no_args_is_help=True)
campaign_app = typer.Typer(help="Launch, pause, resume and complete campaigns.", no_args_is_help=True)
report_app = typer.Typer(help="Figures: KPIs, funnel, ROI.", no_args_is_help=True)
value_app = typer.Typer(help="What customers are worth.", no_args_is_help=True)
user_app = typer.Typer(help="People who may sign in.", no_args_is_help=True)
token_app = typer.Typer(help="Tokens with which programs use the API.", no_args_is_help=True)
events_app = typer.Typer(help="What modules tell each other, and what they made of it.", no_args_is_help=True)
webhook_app = typer.Typer(help="Other systems that are told of events.", no_args_is_help=True)
app.add_typer(segment_app, name="segment")
app.add_typer(campaign_app, name="campaign")
app.add_typer(report_app, name="report")
app.add_typer(value_app, name="value")
app.add_typer(user_app, name="user")
app.add_typer(token_app, name="token")
app.add_typer(events_app, name="events")
app.add_typer(webhook_app, name="webhook")
cli_events.register(app, events_app)
cli_files.register(app)
cli_operations.register(app)
cli_segments.register(segment_app)
cli_report.register(report_app)
cli_value.register(value_app)
cli_tokens.register(token_app)
cli_users.register(user_app)
cli_webhooks.register(webhook_app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; whatever goes wrong is one line, or one JSON document with --json.

    The exit code is 1 then, 2 where the command was not used as its help says.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    try:
        # A person is told by typer how a command is used; with --json that comes here as an error.
        sys.exit(app(arguments, standalone_mode=not as_json))
    except Exception as error:
        message = _message(error)
        if as_json:
            say(json.dumps({"error": type(error).__name__, "message": message}))
        else:
            print(f"Error: {message}", file=sys.stderr)  # noqa: T201
        sys.exit(getattr(error, "exit_code", 1))


def _message(error: Exception) -> str:
    """An error in words; one that nobody foresaw is logged, and its reference id given."""
    if isinstance(error, MaError):
        return str(error)
    if isinstance(error, typer.TyperException):
        return error.format_message()
    if isinstance(error, typer.Abort):
        return "Stopped: nothing was entered."
    if isinstance(error, SQLAlchemyError) and (told := trouble(error) or forbidden(error)):
        return told
    return f"Something went wrong. Try again; if it stays, report reference {log_error(error)}."


@app.command()
def init(
    demo: Annotated[bool, typer.Option(help="Load the demo world, if the database is new.")] = False,
    as_json: Json = False,
) -> None:
    """Create the database, or bring it up to date, and create its workspace."""
    from ma import setup

    database = connect(settings().database_url)
    done = setup.set_up(database, settings(), demo=demo, progress=progress(as_json))
    database.close()
    document = {"created": done.created, "demo": done.demo}
    if done.password:
        document["admin"] = {"username": "admin", "password": done.password}
    answer(document, as_json, setup.words(done))


@app.command()
def demo(as_json: Json = False) -> None:
    """Load the demo world into a database that has no workspace yet."""
    from ma import setup

    database = connect(settings().database_url)
    migrate.upgrade(database)
    summary = setup.load_demo(database, settings(), progress=progress(as_json))
    database.close()
    answer(summary, as_json, "The demo world is loaded. Sign in as admin / admin123.")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check the database and the event bus, and list the settings; exit code 1 if something needs you."""
    from ma.doctor import checks, listed

    found, values = checks(settings()), listed(settings())
    document = {
        "ok": all(c.ok for c in found),
        "checks": [c.__dict__ for c in found],
        "settings": [s.__dict__ for s in values],
    }
    lines = [f"{'ok  ' if c.ok else 'FAIL'}  {c.name}: {c.text}" for c in found]
    lines += ["", *(f"{s.name}={s.value or ''}  ({s.description})" for s in values)]
    answer(document, as_json, "\n".join(lines))
    if not document["ok"]:
        raise typer.Exit(1)


def _change_campaign(verb: str, campaign_id: int, as_json: bool) -> None:
    from ma.analytics.campaigns import campaign
    from ma.analytics.workspace import workspace
    from ma.services import campaigns, launches

    actions = {
        "launch": launches.launch_campaign,
        "pause": campaigns.pause_campaign,
        "resume": campaigns.resume_campaign,
        "complete": campaigns.complete_campaign,
    }
    with open_database() as database:
        with database.writing() as session:
            actions[verb](session, SYSTEM, campaign_id, at=workspace(session).now())
        with database.reading() as session:
            values = campaign(session, campaign_id)
    document = {k: values[k] for k in ("id", "name", "status", "waves", "waves_sent", "eligibility")}
    answer(document, as_json, f"{values['name']} is {values['status']}.")


CampaignId = Annotated[int, typer.Argument(help="The campaign's id.", callback=possible)]


@campaign_app.command("launch")
def campaign_launch(campaign_id: CampaignId, as_json: Json = False) -> None:
    """Launch a draft or scheduled campaign: its first wave is sent now."""
    _change_campaign("launch", campaign_id, as_json)


@campaign_app.command("pause")
def campaign_pause(campaign_id: CampaignId, as_json: Json = False) -> None:
    """Stop the waves to come of a running campaign."""
    _change_campaign("pause", campaign_id, as_json)


@campaign_app.command("resume")
def campaign_resume(campaign_id: CampaignId, as_json: Json = False) -> None:
    """Go on with the waves of a paused campaign."""
    _change_campaign("resume", campaign_id, as_json)


@campaign_app.command("complete")
def campaign_complete(campaign_id: CampaignId, as_json: Json = False) -> None:
    """Close a running or paused campaign; waves not yet sent are dropped."""
    _change_campaign("complete", campaign_id, as_json)


@report_app.command("kpis")
def report_kpis(
    days: Annotated[int, typer.Option(min=1, max=3650, help="How many days, today included.")] = 28,
    as_json: Json = False,
) -> None:
    """The key figures of the last days against those before them. Money in minor units, rates 0-1."""
    with open_workbench() as workbench:
        say_frame(workbench.kpis(days=days), as_json)


@report_app.command("funnel")
def report_funnel(
    campaign_ids: Annotated[
        list[int] | None, typer.Argument(help="Campaign ids; all without them.", callback=possible)
    ] = None,
    as_json: Json = False,
) -> None:
    """The funnel of one, several or all campaigns."""
    with open_workbench() as workbench:
        say_frame(workbench.funnel(*campaign_ids or ()), as_json)


@report_app.command("roi")
def report_roi(
    days: Annotated[
        int | None,
        typer.Option(min=1, max=36500, help="Only campaigns launched in the last days, today included."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Return on investment by campaign. Money in minor units, rates 0-1."""
    with open_workbench() as workbench:
        start = workbench.today() - timedelta(days=days - 1) if days else None
        say_frame(workbench.roi(start=start), as_json)
