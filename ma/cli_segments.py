"""Segments on the command line: `python -m ma segment …`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ma.errors import FileProblem
from ma.terminal import Json, answer, open_database, possible, progress, say, say_frame
from ma.types import SYSTEM

RuleFile = Annotated[Path, typer.Argument(help="A file with a rule in JSON.")]
_LISTED = ["segment_id", "name", "static", "size", "refreshed_at", "stale", "refresh_error"]
_REFRESHED = ["segment_id", "name", "size", "refreshed_at", "refresh_error"]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `segment`."""
    for name, command in (
        ("list", list_segments),
        ("count", count),
        ("explain", explain),
        ("refresh", refresh),
    ):
        app.command(name)(command)


def list_segments(as_json: Json = False) -> None:
    """All segments with their size and the age of their last refresh; none is evaluated."""
    from ma.analytics import segments
    from ma.analytics.workspace import workspace

    with open_database() as database, database.reading() as session:
        frame = segments.segments(session, as_of=workspace(session).now())
    say_frame(frame[[*_LISTED, "rule"] if as_json else _LISTED], as_json)


def count(rule: RuleFile, as_json: Json = False) -> None:
    """Count the customers that a rule chooses, and read the rule in English."""
    from ma.analytics import segments
    from ma.analytics.catalogue import catalogue
    from ma.analytics.workspace import workspace
    from ma.rules.check import parse

    text = _read(rule)
    with open_database() as database, database.reading() as session:
        place, known = workspace(session), catalogue(session)
        node = parse(text, known)
        people = segments.count(session, node, as_of=place.now())
        sentence = segments.sentence(text, currency=place.currency, catalogue=known)
    answer({"people": people, "english": sentence}, as_json, f"{people:,} customers: {sentence}")


def explain(rule: RuleFile, as_json: Json = False) -> None:
    """What each part of a rule does to its audience, and what missing data decides."""
    from ma.analytics import explanation, segments
    from ma.analytics.catalogue import catalogue
    from ma.analytics.workspace import workspace
    from ma.rules.check import parse

    text = _read(rule)
    with open_database() as database, database.reading() as session:
        place, known = workspace(session), catalogue(session)
        found = explanation.explain(session, parse(text, known), as_of=place.now(), catalogue=known)
        sentence = segments.sentence(text, currency=place.currency, catalogue=known)
    if as_json:
        frames = {"effects": _rows(found.effects), "missing": _rows(found.missing)}
        counts = {"people": found.total, "everybody": found.everybody, "match": found.match.value}
        counts |= {"left_out": found.undecided.left_out, "in_anyway": found.undecided.in_anyway}
        say(json.dumps({**counts, "english": sentence, **frames}))
        return
    say(f"{found.total:,} of {found.everybody:,} customers: {sentence}")
    say()
    shown = found.effects[["rule", "own", "step", "after", "change", "share"]]
    say(shown.to_string(index=False, na_rep="–"))
    if len(found.missing):
        say()
        say("What is unknown:")
        say(found.missing.to_string(index=False, na_rep="–"))


def refresh(
    segment_id: Annotated[
        int | None, typer.Argument(help="A segment's id; all of them without it.", callback=possible)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All segments with a rule.")] = False,
    as_json: Json = False,
) -> None:
    """Evaluate a segment (or all) now and store who entered and who left.

    All: each after those its rule uses, each in a transaction of its own. The exit code is 1 if one failed.
    """
    from ma.analytics import segments
    from ma.analytics.workspace import workspace
    from ma.services.segments import refresh_one

    if everything and segment_id is not None:
        raise typer.BadParameter("Give one segment's id or --all, not both.", param_hint="--all")
    with open_database() as database:
        with database.reading() as session:
            as_of = workspace(session).now()
        if segment_id is not None:
            refresh_one(database, SYSTEM, segment_id, at=as_of)
            failed, cancelled_by = 0, None
        else:
            failed, cancelled_by = _refresh_all(database, as_of, as_json)
        with database.reading() as session:
            listed = segments.segments(session, as_of=as_of)
    wanted = listed["segment_id"] == segment_id if segment_id is not None else ~listed["static"]
    say_frame(listed[wanted][_REFRESHED], as_json)
    if cancelled_by and not as_json:
        say(f"Cancelled by {cancelled_by}.")
    if failed or cancelled_by:
        raise typer.Exit(1)


def _refresh_all(database, as_of, as_json: bool) -> tuple[int, str | None]:
    from ma.services.refresh_runs import refresh_all

    tell = progress(as_json)
    for here in refresh_all(database, SYSTEM, at=as_of):
        tried = here.done + here.failed
        tell(tried / max(here.segments, 1), f"{tried:,} of {here.segments:,} segments")
    return here.failed, here.cancelled_by


def _read(rule: Path) -> str:
    try:
        return rule.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileProblem(f"{rule} cannot be read as text: {type(error).__name__}.") from error


def _rows(frame) -> list[dict]:
    return json.loads(frame.to_json(orient="records"))
