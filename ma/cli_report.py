"""The report on the command line: `python -m ma report --campaigns 1,2 --from … --to … --out report.html`."""

from pathlib import Path
from typing import Annotated

import typer

from ma.errors import InvalidInput
from ma.terminal import Json, answer, open_workbench
from ma.text import whole_number

Campaigns = Annotated[
    str | None, typer.Option(help="Ids with commas between, such as 1,2; all campaigns of the days without.")
]
From = Annotated[
    str | None, typer.Option("--from", help="The first day of launch, such as 2026-01-01; open without.")
]
To = Annotated[
    str | None, typer.Option("--to", help="The last day of launch, itself included; open without.")
]
Out = Annotated[Path | None, typer.Option(help="Where to write it: .html, or .pdf.")]
Pdf = Annotated[
    bool, typer.Option("--pdf", help="A PDF beside it too; needs a Chromium, Chrome or Edge (MA_BROWSER).")
]


def register(app: typer.Typer) -> None:
    """Make `report` without a command write the report on campaigns."""
    app.callback(
        invoke_without_command=True,
        help="Figures: KPIs, funnel, ROI; or, with --out, a report on campaigns as one HTML or PDF file.",
    )(report)


def report(
    context: typer.Context,
    campaigns: Campaigns = None,
    first: From = None,
    last: To = None,
    out: Out = None,
    pdf: Pdf = False,
    as_json: Json = False,
) -> None:
    """Write a report on campaigns launched in some days of the workspace's time zone."""
    if context.invoked_subcommand:
        if any((campaigns, first, last, out, pdf, as_json)):
            raise typer.BadParameter(f"Write the options after '{context.invoked_subcommand}'.")
        return
    if out is None:
        raise typer.BadParameter("Say where to write the report, such as report.html.", param_hint="--out")
    from ma.report.days import days

    start, end = days(first, last)
    files = [out] + ([out.with_suffix(".pdf")] if pdf and out.suffix.lower() != ".pdf" else [])
    chosen = None if campaigns is None else _ids(campaigns)
    with open_workbench() as workbench:
        for file in files:
            number = workbench.report(file, campaign_ids=chosen, start=start, end=end)
    answer(
        {"files": list(map(str, files)), "campaigns": number},
        as_json,
        f"Campaigns in {' and '.join(map(str, files))}: {number:,}.",
    )


def _ids(text: str) -> list[int]:
    numbers = [whole_number(part.strip()) for part in text.split(",")]
    if None in numbers:
        raise InvalidInput({"campaigns": f"'{text}' is no list of campaigns. Write ids, such as 1,2."})
    return numbers
