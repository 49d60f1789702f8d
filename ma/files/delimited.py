"""CSV and its relatives: the encoding and the separator found, rows of uneven length mended or reported."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as arrow_csv

from ma.errors import FileProblem
from ma.files.limits import COLUMNS, check_table

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
# Name for people -> Python's name.
ENCODINGS = {
    "UTF-8": "utf-8",
    "Windows-1252": "cp1252",
    "Latin-1": "latin-1",
    "UTF-16": "utf-16",
    "UTF-16 (little endian)": "utf-16-le",
    "UTF-16 (big endian)": "utf-16-be",
}
_SAMPLE = 256 * 1024
_PART = 4 * 1024 * 1024
# A row may be that long; more is a quotation mark that never closes.
_BLOCK = 8 * 1024 * 1024
_END = b"\x02end of file\x02"
_HINT = re.compile(rb"sep=(.)\r?\n", re.IGNORECASE)
_OPEN_QUOTE = (
    "Row {row}: a quotation mark opens here and is not closed again. Close it, or double it where it belongs "
    "to the text."
)


@dataclass(frozen=True)
class Delimited:
    """A CSV file's cells as text, empty ones null; `surplus`: row position -> what is wrong."""

    table: pa.Table
    first_row: int
    encoding: str
    separator: str
    surplus: dict[int, str]


def table(content: bytes, *, encoding: str | None, separator: str | None) -> Delimited:
    """The table of a text file. Raises FileProblem with the remedy."""
    encoding, content = _utf8(content, encoding)
    skipped, hint = 0, _HINT.match(content)
    if hint:
        skipped, content = 1, content[hint.end() :]
        separator = separator or hint[1].decode("ascii", "replace")
    sample = content[:_SAMPLE].decode("utf-8", "ignore")
    if separator is None:
        separator = _separator(sample)
    if separator not in SEPARATORS:
        raise FileProblem(f"'{separator}' separates no columns. Choose comma, semicolon, tab or bar.")
    headers, begin, blank = _header(sample, separator)
    if len(headers) > COLUMNS:
        check_table(0, len(headers))
    cells, surplus = _rows(content[begin:], headers, separator)
    return Delimited(cells, skipped + blank + 2, encoding, separator, surplus)


def _utf8(content: bytes, encoding: str | None) -> tuple[str, bytes]:
    """(the encoding's name for people, the text as UTF-8 without a byte order mark)."""
    name = encoding or _encoding(content)
    if name not in ENCODINGS:
        raise FileProblem(f"'{name}' is no encoding known here. Choose one of {', '.join(ENCODINGS)}.")
    try:
        if ENCODINGS[name] == "utf-8":
            content = content.removeprefix(codecs.BOM_UTF8)
            for _ in _decoded(content, "utf-8"):
                pass
        else:
            content = b"".join(part.encode() for part in _decoded(content, ENCODINGS[name]))
            content = content.removeprefix(codecs.BOM_UTF8)
    except UnicodeError as error:
        raise FileProblem(
            f"The file is not {name}: it has characters that this encoding does not. Choose another encoding."
        ) from error
    if b"\0" in content:
        raise FileProblem(
            "The file holds NUL characters: it is no text, or was damaged. Export it again as CSV in UTF-8."
        )
    start = content[:_SAMPLE]
    strange = sum(start.count(bytes([code])) for code in range(32) if code not in (9, 10, 12, 13, 26))
    if strange * 20 > len(start):
        raise FileProblem("This is no table. Choose a CSV, Excel (.xlsx) or Parquet file.")
    return name, content


def _decoded(content: bytes, codec: str) -> Iterator[str]:
    """The text in parts: a whole upload as one text would take four times its size."""
    decoder = codecs.getincrementaldecoder(codec)()
    for place in range(0, len(content), _PART):
        yield decoder.decode(content[place : place + _PART])
    yield decoder.decode(b"", final=True)


def _encoding(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    if content.startswith(codecs.BOM_UTF8):
        return "UTF-8"
    start = content[:_SAMPLE]
    even, odd = start[::2].count(0), start[1::2].count(0)
    # Most letters of most languages here have a zero beside them in UTF-16, always on the same side.
    if odd * 4 > len(start) // 2 and even * 4 < odd:
        return "UTF-16 (little endian)"
    if even * 4 > len(start) // 2 and odd * 4 < even:
        return "UTF-16 (big endian)"
    for name in ("UTF-8", "Windows-1252"):
        try:
            for _ in _decoded(content, ENCODINGS[name]):
                pass
        except UnicodeError:
            continue
        return name
    return "Latin-1"


def _separator(sample: str) -> str:
    """The separator under which most rows have as many cells as the header, more than one."""
    best, best_score = ",", (0.0, 0)
    for separator in SEPARATORS:
        rows = _sample_rows(sample, separator)
        if not rows or len(rows[0]) < 2:
            continue
        alike = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        if (score := (round(alike, 1), len(rows[0]))) > best_score:
            best, best_score = separator, score
    return best


def _sample_rows(sample: str, separator: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=separator)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) == 100:
                break
    except csv.Error:
        pass
    # The sample may end within its last row.
    return rows[:-1] if len(sample) >= _SAMPLE // 4 and 1 < len(rows) < 100 else rows


def _header(sample: str, separator: str) -> tuple[list[str], int, int]:
    """(headers, the byte where the rows begin, empty rows above the header)."""
    lines = iter(io.StringIO(sample, newline=""))
    begin = blank = 0

    def counted() -> Iterator[str]:
        nonlocal begin
        for line in lines:
            begin += len(line.encode())
            yield line

    for row in csv.reader(counted(), delimiter=separator):
        if any(cell.strip() for cell in row):
            if _is_open(sample[: len(sample.encode()[:begin].decode("utf-8", "ignore"))], separator):
                break
            while len(row) > 1 and not row[-1].strip():
                row.pop()
            return row, begin, blank
        blank += 1
    raise FileProblem(_OPEN_QUOTE.format(row=blank + 1))


def _is_open(text: str, separator: str) -> bool:
    """Whether a text ends within quotation marks."""
    try:
        list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False


def _rows(content: bytes, headers: list[str], separator: str) -> tuple[pa.Table, dict[int, str]]:
    names = [f"c{position}" for position in range(len(headers))]
    uneven: list[arrow_csv.InvalidRow] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        uneven.append(row)
        return "skip"

    # A last row of our own: where it is swallowed, a quotation mark was left open. It also makes that pyarrow
    # never sees an empty file.
    ending = b"" if not content or content.endswith((b"\n", b"\r")) else b"\n"
    last = separator.encode() * (len(names) - 1) + _END
    text = pa.large_string()
    try:
        cells = arrow_csv.read_csv(
            pa.BufferReader(content + ending + last),
            # One thread: only then are rows numbered for `note`.
            read_options=arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=_BLOCK),
            parse_options=arrow_csv.ParseOptions(
                delimiter=separator,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=note,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, text),
                strings_can_be_null=True,
                null_values=[""],
                check_utf8=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise FileProblem(
            "A row is longer than 8 MB: a quotation mark was probably left open. Close it and try again."
        ) from error
    if not cells.num_rows or cells.column(len(names) - 1)[-1].as_py() != _END.decode():
        raise FileProblem(_OPEN_QUOTE.format(row=cells.num_rows + len(uneven) + 1))
    mended, surplus = _mended(cells.slice(0, cells.num_rows - 1), uneven, separator, names)
    return mended.rename_columns(headers), surplus


def _mended(
    cells: pa.Table, uneven: list[arrow_csv.InvalidRow], separator: str, names: list[str]
) -> tuple[pa.Table, dict[int, str]]:
    """The table with its uneven rows back in their places: short ones filled, long ones cut and reported."""
    if not uneven:
        return cells, {}
    width, surplus, rows = len(names), {}, []
    for row in uneven:
        values = next(csv.reader(io.StringIO(row.text, newline=""), delimiter=separator), [])
        if any(value.strip() for value in values[width:]):
            surplus[row.number - 1] = (
                f"This row has {len(values)} cells, the header {width}. Put text that holds a separator into "
                "quotation marks."
            )
        rows.append([value or None for value in values[:width]] + [None] * (width - len(values)))
    places = [row.number - 1 for row in uneven]
    fixed = pa.table(
        {
            name: pa.array(column, pa.large_string())
            for name, column in zip(names, zip(*rows, strict=True), strict=True)
        }
    )
    total = cells.num_rows + len(rows)
    order = _order(places, total)
    return pa.concat_tables([cells, fixed]).take(pa.array(order)), surplus


def _order(places: list[int], total: int):
    """Where each row of the whole is found, when those of `places` stand after the others."""
    import numpy as np

    order = np.empty(total, dtype=np.int64)
    late = np.zeros(total, dtype=bool)
    late[places] = True
    order[~late] = np.arange(total - len(places))
    order[late] = np.arange(total - len(places), total)
    return order
