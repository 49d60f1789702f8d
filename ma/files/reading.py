"""Tables from files that people upload: CSV, Excel and Parquet, known by their content, not their name."""

import gzip
import hashlib
import zlib
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ma.errors import FileProblem
from ma.files import delimited, parquet, workbook
from ma.files.limits import MB, UNPACKED, UPLOAD, check_table, too_big
from ma.files.writing import restored

# Beginnings of files that some people take for tables, and what to do instead.
_PICKLE = "a pickled object; it could run a program and is never opened. Save the table as Parquet or CSV"
_OTHERS = {
    b"\xd0\xcf\x11\xe0": "an Excel file of the old kind (.xls), or one with a password. "
    "Save it as .xlsx without a password",
    b"%PDF": "a PDF. Export the table itself as CSV or .xlsx",
    b"\x89PNG": "a picture. Export the table itself as CSV or .xlsx",
    b"\xff\xd8\xff": "a picture. Export the table itself as CSV or .xlsx",
    b"GIF8": "a picture. Export the table itself as CSV or .xlsx",
    b"SQLite format 3": "a database. Export the table itself as CSV",
    **{bytes([0x80, version]): _PICKLE for version in range(2, 6)},
}
_CALLED = {".xlsx": "an Excel", ".parquet": "a Parquet"}
_TEXT = pd.StringDtype("pyarrow", na_value=float("nan"))


@dataclass(frozen=True)
class Sheet:
    """A table as it stood in a file. Every column is text (dtype `str`), NaN only where the cell is empty.

    Row i of `frame` stands in row `first_row + i` of the file; rows without any cell are kept, so that this
    holds, but not at the end. `surplus` maps the positions of rows with more cells than the header to what
    is wrong with them. `header` is the row above the first one as it stood there, empty where the format has
    none. `format` is csv, excel or parquet; `sha256` is that of the bytes.
    """

    name: str
    format: str
    sha256: str
    frame: pd.DataFrame
    first_row: int = 2
    encoding: str | None = None
    separator: str | None = None
    sheet: str | None = None
    sheets: tuple[str, ...] = ()
    surplus: dict[int, str] | None = None
    header: tuple[str, ...] = ()


def read(
    source: bytes | Path,
    *,
    name: str,
    encoding: str | None = None,
    separator: str | None = None,
    sheet: str | None = None,
) -> Sheet:
    """The table of a file; encoding, separator and sheet are found where they are not given.

    Raises FileProblem with the remedy.
    """
    content = _content(source)
    digest = hashlib.sha256(content).hexdigest()
    # What formats say of themselves in their first bytes; text says nothing.
    if content.startswith(b"PAR1"):
        table = _framed(parquet.table(content))
        return Sheet(name, "parquet", digest, _named(table), first_row=1)
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        found = workbook.table(content, sheet=sheet)
        frame = _restored(_without_end(_framed(found.table)))
        header = tuple(frame.columns)
        return Sheet(
            name,
            "excel",
            digest,
            _named(frame),
            header=header,
            first_row=found.first_row,
            sheet=found.sheet,
            sheets=found.sheets,
        )
    if content.startswith(b"\x1f\x8b"):
        content = _unpacked(content)
    for beginning, words in _OTHERS.items():
        if content.startswith(beginning):
            raise FileProblem(f"This is {words}.")
    text = delimited.table(content, encoding=encoding, separator=separator)
    frame = _restored(_without_end(_framed(text.table)))
    kind = _CALLED.get(Path(name).suffix.lower())
    if kind and frame.empty:
        raise FileProblem(f"This is not {kind} file, whatever its name says: it holds a line of text.")
    header = tuple(frame.columns)
    return Sheet(
        name,
        "csv",
        digest,
        _named(frame),
        header=header,
        first_row=text.first_row,
        encoding=text.encoding,
        separator=text.separator,
        surplus=text.surplus or None,
    )


def headless(sheet: Sheet) -> Sheet:
    """The same table with its header as the first of its rows, for a file that has no header."""
    columns = [f"Column {position}" for position in range(1, len(sheet.header) + 1)]
    first = pd.DataFrame([sheet.header], columns=columns, dtype=_TEXT).replace("", np.nan)
    rows = sheet.frame.set_axis(columns, axis=1)
    surplus = {place + 1: words for place, words in (sheet.surplus or {}).items()}
    return replace(
        sheet,
        frame=pd.concat([first, rows], ignore_index=True),
        first_row=sheet.first_row - 1,
        surplus=surplus or None,
        header=(),
    )


def _content(source: bytes | Path) -> bytes:
    if isinstance(source, Path):
        try:
            if source.stat().st_size > UPLOAD:
                raise too_big("The file", UPLOAD)
            source = source.read_bytes()
        except OSError as error:
            raise FileProblem(f"{source} cannot be read. Check the path and its permissions.") from error
    if len(source) > UPLOAD:
        raise too_big("The file", UPLOAD)
    if not source.strip(b"\xef\xbb\xbf\xff\xfe\r\n\t \0"):
        raise FileProblem("The file is empty. Choose one with a header and rows below it.")
    return source


def _unpacked(content: bytes) -> bytes:
    """What a gzip file holds, never more than `UNPACKED`."""
    parts, size = [], 0
    try:
        with gzip.open(BytesIO(content)) as stream:
            while part := stream.read(8 * MB):
                size += len(part)
                if size > UNPACKED:
                    raise too_big("The unpacked file")
                parts.append(part)
    except (OSError, EOFError, zlib.error) as error:
        raise FileProblem("The packed file is damaged or cut off. Pack it again.") from error
    if not size:
        raise FileProblem("The file is empty. Choose one with a header and rows below it.")
    return b"".join(parts)


def _framed(table: pa.Table) -> pd.DataFrame:
    check_table(table.num_rows, table.num_columns)
    return table.to_pandas(types_mapper={pa.large_string(): _TEXT}.get)


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with every header trimmed, filled and unlike the others: "", a, a → Column 1, a, a (2)."""
    names: list[str] = []
    for position, header in enumerate(frame.columns, 1):
        wanted = str(header or "").strip() or f"Column {position}"
        name, count = wanted, 1
        while name in names:
            count += 1
            name = f"{wanted} ({count})"
        names.append(name)
    frame.columns = names
    return frame


def _without_end(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame without the empty rows at its end, which spreadsheets like to write."""
    if not len(frame) or frame.iloc[-1].notna().any():
        return frame
    filled = frame.notna().any(axis=1).to_numpy().nonzero()[0]
    return frame.iloc[: filled[-1] + 1 if len(filled) else 0]


def _restored(frame: pd.DataFrame) -> pd.DataFrame:
    """The cells and headers that our exports made harmless as they were."""
    columns = []
    for position in range(frame.shape[1]):
        column = frame.iloc[:, position]
        # Most columns have none, and looking is much cheaper than replacing.
        columns.append(restored(column) if column.str.startswith("'").any() else column)
    headers = restored(pd.Series([str(name or "") for name in frame.columns], dtype="str"))
    result = pd.concat(columns, axis=1) if columns else frame
    result.columns = headers.tolist()
    return result.astype(_TEXT)
