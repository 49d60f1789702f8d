"""Excel workbooks: sizes checked before unpacking, cells read by another process that may not grow too big.

A few kilobytes of .xlsx can ask for all memory: packed zeros, a sheet with cells at two far corners, a long
text in every cell. The sizes are checked first; whatever slips through ends that process, not the server.
"""

import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pyarrow as pa

from ma.errors import FileProblem
from ma.files.limits import MB, UNPACKED, check_table, too_big
from ma.files.sheet_process import MARK

_ROOT = Path(__file__).resolve().parents[2]
_ENTRIES = 2_000
# Real sheets shrink to a tenth or a thirtieth; a bomb to a thousandth.
_RATIO = 250
_SMALL = MB
_TIMEOUT_SECONDS = 300
_ENTITIES = (b"<!DOCTYPE", b"<!ENTITY")


@dataclass(frozen=True)
class Workbook:
    """The cells of a sheet as text, empty ones null, and the names of all its sheets."""

    table: pa.Table
    first_row: int
    sheet: str
    sheets: tuple[str, ...]


def table(content: bytes, *, sheet: str | None) -> Workbook:
    """One sheet of a workbook: the one named, else the first with cells. Raises FileProblem."""
    _check(content)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ma.files.sheet_process", sheet or ""],
            input=content,
            capture_output=True,
            cwd=_ROOT,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FileProblem("Reading the workbook takes too long. Save the sheet as CSV.") from error
    if done.returncode:
        raise FileProblem(_words(done.stderr))
    with pa.ipc.open_stream(pa.py_buffer(done.stdout)) as reader:
        cells = reader.read_all()
    told = {key.decode(): value.decode() for key, value in (cells.schema.metadata or {}).items()}
    sheets = tuple(told["sheets"].split("\0"))
    check_table(cells.num_rows, cells.num_columns)
    return Workbook(
        cells.rename_columns(told["headers"].split("\0")), int(told["first_row"]), told["sheet"], sheets
    )


def _words(told: bytes) -> str:
    text = told.decode("utf-8", "replace")
    if MARK in text:
        return text.split(MARK)[-1].strip()
    return (
        "The workbook cannot be read: it is damaged or needs too much memory. "
        "Save the sheet as CSV and try again."
    )


def _check(content: bytes) -> None:
    """Raises FileProblem for a file that is no workbook, or that would unpack to too much."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries = archive.infolist()
            _check_sizes(entries)
            names = [entry.filename for entry in entries]
            if len(set(names)) < len(names):
                raise FileProblem("The workbook has two parts of one name. Save it again in Excel.")
            if "xl/workbook.xml" not in names:
                raise FileProblem(_no_workbook(names))
            for entry in entries:
                _check_part(archive, entry)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise FileProblem("The workbook is damaged. Save it again in Excel as .xlsx.") from error


def _check_sizes(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > _ENTRIES:
        raise FileProblem(
            f"The workbook has {len(entries):,} parts; a sheet has a few. Save it again in Excel."
        )
    if sum(entry.file_size for entry in entries) > UNPACKED:
        raise too_big("The unpacked workbook")
    for entry in entries:
        if entry.flag_bits & 1:
            raise FileProblem("The workbook needs a password. Save it without one.")
        if entry.file_size > _SMALL and entry.file_size > _RATIO * max(entry.compress_size, 1):
            raise FileProblem(
                "The workbook unpacks to far more than a sheet of its size would: it may be an attack. "
                "Save the sheet as CSV."
            )


def _check_part(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Read a part through: its size is as declared (a checksum says so), and it declares no entities."""
    with archive.open(entry) as stream:
        before = b""
        while part := stream.read(MB):
            searched = before + part
            if any(word in searched for word in _ENTITIES):
                raise FileProblem("The workbook declares XML entities and is refused. Save the sheet as CSV.")
            before = part[-16:]


def _no_workbook(names: list[str]) -> str:
    if "content.xml" in names or "mimetype" in names:
        return "This is an OpenDocument file. Save it as .xlsx or CSV."
    if "xl/workbook.bin" in names:
        return "This is a binary workbook (.xlsb). Save it as .xlsx or CSV."
    return "This is a zip file, not a workbook. Unpack it and choose the table in it."
