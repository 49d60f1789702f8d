"""Files on the command line: `python -m ma import …` and `python -m ma export …`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ma.errors import FileProblem, InvalidInput
from ma.terminal import Json, answer, open_database, open_workbench, possible, progress
from ma.types import SYSTEM

import_app = typer.Typer(
    help="Import customers, purchases, events, consent or real results of campaigns; undo an import.",
    no_args_is_help=True,
)

File = Annotated[Path, typer.Argument(help="A CSV, Excel (.xlsx) or Parquet file.")]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help="field=column, as often as needed; the others are matched by name. field= leaves one out.",
    ),
]
Key = Annotated[
    str | None, typer.Option(help="What rows are matched by, such as external_id, email or phone.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change and write nothing.")]
Missing = Annotated[bool, typer.Option(help="Add customers who are not known yet.")]
Consent = Annotated[bool, typer.Option("--record-consent", help="A yes in the file allows messages.")]
DateFormat = Annotated[
    str | None, typer.Option(help="How dates are written, such as DD.MM.YYYY; found without it.")
]
Decimal = Annotated[str | None, typer.Option(help="The decimal sign, . or ,; found without it.")]
Encoding = Annotated[str | None, typer.Option(help="Such as UTF-8 or Windows-1252; found without it.")]
Separator = Annotated[str | None, typer.Option(help="The sign between columns; found without it.")]
SheetName = Annotated[
    str | None, typer.Option("--sheet", help="The sheet of a workbook; else its first with cells.")
]
ChannelName = Annotated[
    str | None,
    typer.Option("--channel", help="The channel of all rows, such as email, where no column says it."),
]
CampaignName = Annotated[
    str | None, typer.Option("--campaign", help="The campaign of all rows, where no column names it.")
]
Window = Annotated[
    int, typer.Option(help="So many days after its message a conversion is still a new campaign's.")
]
Rejected = Annotated[Path | None, typer.Option(help="Write the rejected rows to this CSV file.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    app.add_typer(import_app, name="import")
    app.command("export")(export)


def _command(kind: str, help: str, *, creates: bool):
    """One `import` command of customers and what they do; they differ in what they read alone."""

    def command(
        file: File,
        map_: Map = None,
        key: Key = None,
        dry_run: DryRun = False,
        create_missing: Missing = creates,
        record_consent: Consent = False,
        date_format: DateFormat = None,
        decimal: Decimal = None,
        encoding: Encoding = None,
        separator: Separator = None,
        sheet: SheetName = None,
        rejected: Rejected = None,
        as_json: Json = False,
    ) -> None:
        from ma.services.imports import Options

        options = Options(
            date_format=date_format,
            decimal=decimal,
            create_missing=create_missing,
            record_consent=record_consent,
            source="command line",
        )
        reading = {"encoding": encoding, "separator": _sign(separator), "sheet": sheet}
        _import(kind, file, _mapping(map_), key, options, reading, dry_run, rejected, as_json)

    import_app.command(kind, help=help)(command)


_command("customers", "Import people, one in each row.", creates=False)
_command("purchases", "Import orders, one of their lines in each row.", creates=True)
_command("events", "Import visits and other actions, one in each row.", creates=False)
_command("consent", "Import what people allow and refuse.", creates=False)


@import_app.command("outcomes")
def outcomes(
    file: File,
    campaign: CampaignName = None,
    channel: ChannelName = None,
    window_days: Window = 7,
    map_: Map = None,
    key: Key = None,
    dry_run: DryRun = False,
    create_missing: Missing = False,
    date_format: DateFormat = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    separator: Separator = None,
    sheet: SheetName = None,
    rejected: Rejected = None,
    as_json: Json = False,
) -> None:
    """Import what people really did with campaigns: a row for each recipient, or for each step they took."""
    from ma.services.imports import Options

    options = Options(
        campaign=campaign,
        channel=channel,
        window_days=window_days,
        date_format=date_format,
        decimal=decimal,
        create_missing=create_missing,
        source="command line",
    )
    reading = {"encoding": encoding, "separator": _sign(separator), "sheet": sheet}
    _import("outcomes", file, _mapping(map_), key, options, reading, dry_run, rejected, as_json)


@import_app.command("totals")
def totals(
    file: File,
    channel: ChannelName = None,
    map_: Map = None,
    key: Key = None,
    dry_run: DryRun = False,
    date_format: DateFormat = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    separator: Separator = None,
    sheet: SheetName = None,
    rejected: Rejected = None,
    as_json: Json = False,
) -> None:
    """Import campaigns as an e-mail platform added them up, one in each row."""
    from ma.services.imports import Options

    options = Options(channel=channel, date_format=date_format, decimal=decimal, source="command line")
    reading = {"encoding": encoding, "separator": _sign(separator), "sheet": sheet}
    _import("totals", file, _mapping(map_), key, options, reading, dry_run, rejected, as_json)


def _import(kind, file, mapping, key, options, reading, dry_run, rejected, as_json) -> None:
    with open_workbench() as workbench:
        result = workbench.import_file(
            kind,
            file,
            mapping=mapping,
            key=key,
            options=options,
            dry_run=dry_run,
            progress=progress(as_json or dry_run),
            **reading,
        )
    if rejected and len(result.rejected_rows):
        from ma.files.writing import to_csv

        _write(rejected, to_csv(result.rejected_rows))
    document = {
        "import_id": result.import_id,
        "dry_run": dry_run,
        "counts": result.counts,
        "notes": result.notes,
        "mapping": result.mapping,
        "key": result.key,
        "rejected": json.loads(result.rejected.head(100).to_json(orient="records")),
    }
    answer(document, as_json, _words(result, dry_run))


def _words(result, dry_run: bool) -> str:
    counts = result.counts
    said = ", ".join(f"{counts[name]:,} {name}" for name in ("new", "changed", "unchanged", "rejected"))
    lines = [f"{counts['rows']:,} row{'' if counts['rows'] == 1 else 's'}: {said}."]
    lines += result.notes
    lines += [
        f"Row {one.row}, {one.column}: {one.problem} (there is: {one.value})"
        for one in result.rejected.head(10).itertuples()
    ]
    if len(result.rejected) > 10:
        lines.append(
            f"{len(result.rejected) - 10:,} more problems; --rejected FILE writes the rejected rows."
        )
    if dry_run:
        lines.append("Nothing was written: this was a dry run.")
    elif result.import_id is None:
        lines.append("Nothing was written: there was nothing new or changed.")
    else:
        lines.append(f"Imported. To take it back: python -m ma import undo {result.import_id}")
    return "\n".join(lines)


@import_app.command("undo")
def undo(
    import_id: Annotated[int, typer.Argument(help="The import's id, as it was said when it was made.")],
    as_json: Json = False,
) -> None:
    """Take an import back: what it added goes, what it changed becomes what it was."""
    from ma.analytics.workspace import workspace
    from ma.services import imports

    possible(import_id)
    with open_database() as database, database.writing() as session:
        counts = imports.undo(session, SYSTEM, import_id, at=workspace(session).now())
    said = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items() if number)
    answer(
        {"import_id": import_id, "counts": counts},
        as_json,
        f"Import {import_id} is undone: {said or 'no rows'}.",
    )


def export(
    frame: Annotated[
        str, typer.Argument(help="A table, such as customers, purchases, segments or campaigns.")
    ],
    file: Annotated[Path, typer.Argument(help="Where to write it: .csv, .parquet or .xlsx.")],
    filters: Annotated[
        list[str] | None, typer.Argument(help="name=value, as in the address of an export on the screen.")
    ] = None,
    q: Annotated[str | None, typer.Option(help="Only customers found by this search.")] = None,
    as_json: Json = False,
) -> None:
    """Write a whole table into a file."""
    params = _pairs(filters, "filters") | ({"q": q} if q is not None else {})
    with open_workbench() as workbench:
        rows = workbench.export(frame, file, **params)
    answer(
        {"frame": frame, "file": str(file), "rows": rows}, as_json, f"Rows of {frame} in {file}: {rows:,}."
    )


def _mapping(pairs: list[str] | None) -> dict[str, str]:
    return _pairs(pairs, "map")


def _pairs(texts: list[str] | None, name: str) -> dict[str, str]:
    found = {}
    for text in texts or ():
        field, sign, value = text.partition("=")
        if not sign or not field:
            raise InvalidInput({name: f"'{text}' is not of the form name=value. Write it so."})
        found[field] = value
    return found


def _sign(separator: str | None) -> str | None:
    """A tab is hard to type on a command line."""
    return {"tab": "\t", "\\t": "\t"}.get(separator, separator) if separator else None


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise FileProblem(f"{file} cannot be written. Check the folder and its permissions.") from error
