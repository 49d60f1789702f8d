"""The report as a file for the checked route: made, printed where asked for, and noted in the audit log."""

from collections.abc import Mapping

from ma.errors import NotFound
from ma.services.exports import record_export
from ma.types import Actor
from ui.report_choice import from_address
from ui.session import now, reading, writing

MEDIA_TYPES = {"html": "text/html; charset=utf-8", "pdf": "application/pdf"}


def report_file(actor: Actor, extension: str, params: Mapping[str, str]) -> tuple[str, bytes]:
    """The name and the content of the report that an address asks for.

    Raises NotFound, NotAllowed, InvalidInput, InvalidPeriod and, where no PDF can be made, FileProblem.
    """
    # Loaded here: pandas would delay the start.
    from ma.report import document, printing

    if extension not in MEDIA_TYPES:
        raise NotFound(f"There is no format '{extension}'. There are: {', '.join(MEDIA_TYPES)}.")
    choice, at = from_address(params), now()
    with reading() as session:
        made = document.report(
            session, as_of=at, made_by=actor.name or actor.username, made_at=at, **choice.arguments()
        )
    content = printing.to_pdf(made.html) if extension == "pdf" else made.html.encode()
    with writing() as session:
        record_export(
            session,
            actor,
            frame="report",
            extension=extension,
            rows=made.campaigns,
            params=choice.address(),
            at=at,
        )
    said = choice.address()
    days = [f"{word}-{said[word]}" for word in ("from", "to") if word in said]
    return "-".join(["report", *days]) + f".{extension}", content
