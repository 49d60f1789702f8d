"""Frames as files. CSV is UTF-8 with a byte order mark: without it, spreadsheets garble accents.

A text cell that a spreadsheet would run as a formula gets an apostrophe in front. So does one that already
has apostrophes before such a beginning, so that taking one apostrophe away (`restored`) always gives back
what was written:

    =SUM(A1)   →  '=SUM(A1)
    '=SUM(A1)  →  ''=SUM(A1)
    'n Abend   →  'n Abend      (no formula: as it is)
"""

from io import BytesIO

import pandas as pd

# Beginnings that spreadsheets run: = + - @, tab, carriage return.
_RUNS = r"^'*[=+\-@\t\r]"
_WRITTEN = r"^'(?='*[=+\-@\t\r])"


EXTENSIONS = ("csv", "parquet", "xlsx")


def written(frame: pd.DataFrame, extension: str) -> bytes:
    """The frame as a file of one of `EXTENSIONS`. Raises FileProblem where a format cannot hold it."""
    # Imported here: it needs nothing of this module, and most exports are CSV.
    from ma.files.spreadsheet import to_excel

    return {"csv": to_csv, "parquet": to_parquet, "xlsx": to_excel}[extension](frame)


def to_csv(frame: pd.DataFrame) -> bytes:
    """The frame as CSV, without its index; numbers and times as they are, text made harmless."""
    harmless = frame.copy(deep=False)
    for position, name in enumerate(frame.columns):
        if _is_text(frame.iloc[:, position]):
            harmless[name] = _harmless(frame.iloc[:, position])
    # The line ending decides what is quoted: with this one, a lone carriage return is too.
    options = {"index": False, "lineterminator": "\r\n", "date_format": "%Y-%m-%dT%H:%M:%S%z"}
    return harmless.to_csv(**options).encode("utf-8-sig")


def to_parquet(frame: pd.DataFrame) -> bytes:
    """The frame as Parquet, without its index and with its types."""
    buffer = BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def restored(column: pd.Series) -> pd.Series:
    """The text of a column of our CSV as it was before `to_csv` made it harmless."""
    return column.str.replace(_WRITTEN, "", regex=True)


def _is_text(column: pd.Series) -> bool:
    return not (
        pd.api.types.is_numeric_dtype(column)
        or pd.api.types.is_bool_dtype(column)
        or pd.api.types.is_datetime64_any_dtype(column)
        or pd.api.types.is_timedelta64_dtype(column)
    )


def _harmless(column: pd.Series) -> pd.Series:
    values = column.astype(object)
    # A number in a column of mixed values stays one: -5 is no formula.
    text = values.map(lambda value: isinstance(value, str))
    runs = values.where(text, "").astype(str).str.contains(_RUNS, regex=True)
    return values.where(~runs, "'" + values.astype(str))
