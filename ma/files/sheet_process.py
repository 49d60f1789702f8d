"""The process that opens a workbook: bytes in on stdin, a table of texts out on stdout.

Started by `workbook.py`. It has its own ceiling of memory, and its end is nobody else's.
"""

import sys
from io import BytesIO
from itertools import islice

import pyarrow as pa

from ma.files.limits import CELLS, COLUMNS, ROWS
from ma.files.typed_text import text_of

MARK = "\x02refused\x02"
_MEMORY = 3 * 1024 * 1024 * 1024
_CHUNK = 20_000


def main() -> None:
    """Read the workbook on stdin and write the sheet named by the first argument."""
    _limit_memory()
    sys.meta_path.insert(0, _WithoutPandas())
    # Loaded below the ceiling: nothing of a hostile file is touched before.
    from python_calamine import CalamineError, CalamineWorkbook

    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(sys.stdin.buffer.read()))
        names = book.sheet_names
        if wanted and wanted not in names:
            _refuse(f"The workbook has no sheet '{wanted}'. It has: {', '.join(names[:20])}.")
        for name in [wanted] if wanted else names:
            sheet = book.get_sheet_by_name(name)
            if sheet.height:
                break
        if not sheet.height:
            _refuse(f"The sheet '{name}' has no cells. Choose one that has: {', '.join(names[:20])}.")
        _write(sheet, name, names)
    except CalamineError:
        _refuse("The workbook is damaged, or has a password. Save it again in Excel as .xlsx.")
    except MemoryError:
        _refuse("The workbook needs too much memory. Save the sheet as CSV.")


def _write(sheet, name: str, names: list[str]) -> None:
    rows = sheet.iter_rows()
    above = 0
    for header in rows:
        headers = [text_of(cell) or "" for cell in header]
        if any(headers):
            break
        above += 1
    else:
        _refuse("The sheet has no cells. Choose another one.")
    while not headers[-1]:
        headers.pop()
    width = len(headers)
    if width > COLUMNS:
        _refuse(f"The sheet has {width:,} columns; up to {COLUMNS} are read. Leave out what you do not need.")
    if sheet.height > ROWS or sheet.height * width > CELLS:
        _refuse("The sheet is too long. Split it into several files.")
    told = {
        "headers": "\0".join(headers),
        "sheet": name,
        "sheets": "\0".join(names),
        "first_row": str(above + 2),
    }
    columns = [pa.field(f"c{place}", pa.large_string()) for place in range(width)]
    schema = pa.schema(columns, metadata=told)
    with pa.ipc.new_stream(pa.PythonFile(sys.stdout.buffer), schema) as out:
        while chunk := list(islice(rows, _CHUNK)):
            arrays = [
                pa.array(map(text_of, column), pa.large_string())
                for column in islice(zip(*chunk, strict=True), width)
            ]
            out.write_batch(pa.record_batch(arrays, schema=schema))


class _WithoutPandas:
    """pyarrow loads pandas with its first array, if it is there. Nothing here needs it: 2 s saved a file."""

    def find_spec(self, name: str, path=None, target=None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such ceiling; the checks before still hold.
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def _refuse(words: str) -> None:
    print(MARK + words, file=sys.stderr)  # noqa: T201
    raise SystemExit(3)


if __name__ == "__main__":
    main()
