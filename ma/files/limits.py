"""How big a file may be. Uploads come from anywhere: each size is known before the memory is taken."""

from ma.errors import FileProblem

MB = 1024 * 1024
UPLOAD = 200 * MB
UNPACKED = 1024 * MB
ROWS = 5_000_000
COLUMNS = 500
CELLS = 60_000_000


def check_table(rows: int, columns: int) -> None:
    """Raises FileProblem for a table with more rows, columns or cells than are read."""
    if columns > COLUMNS:
        raise FileProblem(
            f"The file has {columns:,} columns; up to {COLUMNS} are read. Leave out what you do not need."
        )
    if rows > ROWS or rows * columns > CELLS:
        most = min(ROWS, CELLS // max(columns, 1))
        raise FileProblem(
            f"The file has {rows:,} rows; with {columns} columns up to {most:,} are read. "
            "Split it into several files."
        )


def too_big(what: str, limit: int = UNPACKED) -> FileProblem:
    """The error for something larger than it may be."""
    return FileProblem(f"{what} is larger than {limit // MB:,} MB. Split it into several files.")
