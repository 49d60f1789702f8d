"""What a file probably is: its kind, which column is which field, and what tells its rows apart."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from ma.files.columns import suggest
from ma.files.reading import Sheet
from ma.services import imports


@dataclass(frozen=True)
class Suggestion:
    """A mapping (target name -> header) and a key, to be corrected by a person.

    `remembered`: a file with the same header came in before, and this is how its columns were read.
    """

    mapping: dict[str, str]
    key: str
    remembered: bool


def suggestion(session: Session, kind: str, sheet: Sheet) -> Suggestion:
    """How a file of this kind is probably to be read."""
    headers = list(sheet.frame.columns)
    targets = imports.targets(kind, session)
    names = {target.name for target in targets}
    before = imports.remembered(session, kind, headers)
    if before:
        # A field of one's own may be gone since.
        mapping = {name: header for name, header in before.items() if name in names and header in headers}
        return Suggestion(mapping, likely_key(kind, mapping), True)
    mapping = suggest(headers, targets)
    return Suggestion(mapping, likely_key(kind, mapping), False)


def likely_key(kind: str, mapping: dict[str, str]) -> str:
    """The first key whose column is there; the last one where none is."""
    keys = imports.keys(kind)
    return next((key for key in keys if key in mapping), keys[-1] if kind == "events" else keys[0])


def likely_kind(session: Session, sheet: Sheet) -> str:
    """The kind that knows most of the columns, among those whose required ones are all there."""
    best, most = imports.KINDS[0], 0
    for kind in imports.KINDS:
        found = suggestion(session, kind, sheet)
        needed = {target.name for target in imports.targets(kind, session) if target.required}
        known = len(found.mapping) + (100 if found.remembered else 0)
        if needed <= found.mapping.keys() and known > most:
            best, most = kind, known
    return best
