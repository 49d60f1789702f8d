"""Frames as Excel workbooks: typed cells, and text that stays text.

A text is written as a text cell, never as a formula or a link; one that begins like a formula is also marked
so that editing its cell does not turn it into one. Text cells keep their beginnings, so that phone numbers
look as they are; only `'=` and its like get one more apostrophe, which reading takes away again: CSV files
edited in a spreadsheet bring such cells.
"""

import re
from datetime import date, datetime
from io import BytesIO

import numpy as np
import pandas as pd

from ma.errors import FileProblem

# The writer keeps every cell until the end: two million take 600 MB.
_ROWS, _CELLS, _LONGEST = 1_048_575, 2_000_000, 32_767
_RUNS = re.compile(r"[=+\-@\t\r]")
_APOSTROPHES = re.compile(r"'+[=+\-@\t\r]")
# Binary fractions hold whole numbers exactly up to here.
_EXACT = 2**53
_WIDTHS = {"M": 19, "f": 14, "i": 12, "b": 9}


def to_excel(frame: pd.DataFrame) -> bytes:
    """The frame as one sheet, without its index. Times with a zone are in UTC, and their header says so.

    Raises FileProblem where it does not fit into a sheet.
    """
    import xlsxwriter

    _check(frame)
    buffer = BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(buffer, options) as book:
        sheet = book.add_worksheet("Export")
        formats = {
            "header": book.add_format({"bold": True, "bottom": 1}),
            "moment": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
            "day": book.add_format({"num_format": "yyyy-mm-dd"}),
            "text": book.add_format({"quote_prefix": True}),
        }
        sheet.freeze_panes(1, 0)
        for place, name in enumerate(frame.columns):
            column = frame.iloc[:, place]
            header = f"{name} (UTC)" if isinstance(column.dtype, pd.DatetimeTZDtype) else str(name)
            sheet.write_string(0, place, _written(header), formats["header"])
            sheet.set_column(place, place, max(_WIDTHS.get(column.dtype.kind, 18), min(len(header) + 2, 40)))
            _write(sheet, place, column, formats)
        if len(frame.columns):
            sheet.autofilter(0, 0, len(frame), len(frame.columns) - 1)
    return buffer.getvalue()


def _check(frame: pd.DataFrame) -> None:
    if len(frame) > _ROWS or frame.size > _CELLS:
        raise FileProblem(
            f"{len(frame):,} rows with {frame.shape[1]} columns are too many for an Excel file. "
            "Export CSV or Parquet, or fewer rows."
        )


def _write(sheet, place: int, column: pd.Series, formats: dict) -> None:
    """One column below its header; a missing value leaves its cell empty."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    filled = np.flatnonzero(column.notna().to_numpy())
    values = column.iloc[filled].astype(object).tolist()
    for row, value in zip((filled + 1).tolist(), values, strict=True):
        _write_cell(sheet, row, place, value, formats)


def _write_cell(sheet, row: int, place: int, value: object, formats: dict) -> None:
    if isinstance(value, str):
        _write_text(sheet, row, place, value, formats)
    elif isinstance(value, bool | np.bool_):
        sheet.write_boolean(row, place, bool(value))
    elif isinstance(value, int | np.integer):
        if abs(value) <= _EXACT:
            sheet.write_number(row, place, value)
        else:
            sheet.write_string(row, place, str(value))
    elif isinstance(value, float | np.floating) and np.isfinite(value):
        sheet.write_number(row, place, value)
    elif isinstance(value, datetime) and value.year >= 1901:
        # Sheets know no parts of a thousandth second, and no zones.
        sheet.write_datetime(row, place, value.replace(tzinfo=None), formats["moment"])
    elif isinstance(value, date) and not isinstance(value, datetime) and value.year >= 1901:
        sheet.write_datetime(row, place, value, formats["day"])
    else:
        _write_text(sheet, row, place, str(value), formats)


def _write_text(sheet, row: int, place: int, text: str, formats: dict) -> None:
    if len(text) > _LONGEST:
        raise FileProblem(
            f"A text has {len(text):,} characters; a cell of Excel holds {_LONGEST:,}. Export CSV or Parquet."
        )
    if text:
        sheet.write_string(row, place, _written(text), formats["text"] if _RUNS.match(text) else None)


def _written(text: str) -> str:
    return f"'{text}" if _APOSTROPHES.match(text) else text
