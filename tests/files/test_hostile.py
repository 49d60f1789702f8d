"""Files made to harm: each is refused in words, quickly, and the process that reads lives on."""

import gzip
import pickle
import zipfile
from io import BytesIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ma.errors import FileProblem
from ma.files import limits, workbook
from ma.files.reading import read
from ma.files.spreadsheet import to_excel


def book(**parts):
    """A real workbook with some of its parts replaced or added."""
    buffer = BytesIO()
    with zipfile.ZipFile(BytesIO(to_excel(pd.DataFrame({"a": ["x"]})))) as real:
        kept = {name: real.read(name) for name in real.namelist()}
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in (kept | parts).items():
            made.writestr(name, content)
    return buffer.getvalue()


def sheet_xml(rows, before=""):
    head = '<?xml version="1.0" encoding="UTF-8"?>' + before
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'{head}<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'


SHEET = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty"),
        (b"\xef\xbb\xbf\r\n", "The file is empty"),
        (gzip.compress(b"", mtime=0), "The file is empty"),
        (pickle.dumps({"a": 1}), "pickled object"),
        (b"%PDF-1.7\n1,2", "a PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100, "old kind"),
        (bytes(range(1, 256)) * 20, "no table"),
        (b"a,b\n1,x\0y\n", "NUL"),
        (b'a,b\n1,2\n3,"x\n4,5\n', "Row 3: a quotation mark opens"),
        (b'a,"b\n1,2\n', "Row 1: a quotation mark opens"),
        (b"a\n" + b'"' + b"x" * 20_000_000, "longer than 8 MB"),
        (b",".join(b"c%d" % n for n in range(501)) + b"\n", "up to 500 are read"),
        (b"PK\x03\x04 no zip", "damaged"),
        (b"PAR1 no parquet PAR1", "damaged"),
        (b"\x1f\x8b no gzip", "damaged or cut off"),
        (gzip.compress(b"a,b\n1,2\n" * 1000, mtime=0)[:-20], "damaged or cut off"),
    ],
)
def test_what_is_no_table_is_refused_in_words(content, words):
    with pytest.raises(FileProblem, match=words):
        read(content, name="list.csv")


def test_a_packed_bomb_is_not_unpacked(monkeypatch):
    monkeypatch.setattr("ma.files.reading.UNPACKED", 10 * limits.MB)
    with pytest.raises(FileProblem, match="unpacked file is larger"):
        read(gzip.compress(b"a,b\n" + b"1,2\n" * 5_000_000, mtime=0), name="list.csv.gz")


def test_an_upload_over_the_limit_is_refused_before_it_is_looked_at(monkeypatch, tmp_path):
    monkeypatch.setattr("ma.files.reading.UPLOAD", 10)
    with pytest.raises(FileProblem, match="is larger than"):
        read(b"a,b\n1,2\n3,4\n", name="list.csv")
    (tmp_path / "list.csv").write_bytes(b"a,b\n1,2\n3,4\n")
    with pytest.raises(FileProblem, match="is larger than"):
        read(tmp_path / "list.csv", name="list.csv")
    with pytest.raises(FileProblem, match="cannot be read"):
        read(tmp_path / "other.csv", name="other.csv")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({SHEET: b"\0" * 30_000_000}, "may be an attack"),
        ({f"xl/media/{n}": b"" for n in range(2_001)}, "parts"),
        ({SHEET: sheet_xml("<row/>", '<!DOCTYPE x [<!ENTITY a "b">]>')}, "XML entities"),
        (
            {"xl/sharedStrings.xml": '<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><sst/>'},
            "entities",
        ),
    ],
)
def test_a_workbook_is_checked_before_it_is_opened(parts, words, monkeypatch):
    monkeypatch.setattr(workbook.subprocess, "run", lambda *_, **__: pytest.fail("It was opened."))
    with pytest.raises(FileProblem, match=words):
        read(book(**parts), name="list.xlsx")


def test_a_zip_that_lies_about_its_sizes_is_refused(monkeypatch):
    monkeypatch.setattr(workbook.subprocess, "run", lambda *_, **__: pytest.fail("It was opened."))
    content = book(**{SHEET: sheet_xml("<row/>" + " " * 5_000)})
    with zipfile.ZipFile(BytesIO(content)) as archive:
        size = archive.getinfo(SHEET).file_size
    lied = content.replace(size.to_bytes(4, "little"), (200).to_bytes(4, "little"))
    with pytest.raises(FileProblem, match="damaged"):
        read(lied, name="list.xlsx")


def test_two_cells_at_far_corners_end_only_the_process_that_reads():
    cells = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    with pytest.raises(FileProblem, match=r"Save the sheet as CSV|columns; up to 500"):
        read(book(**{SHEET: sheet_xml(cells)}), name="list.xlsx")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("content.xml", "OpenDocument"),
        ("xl/workbook.bin", "xlsb"),
        ("people.csv", "zip file, not a workbook"),
    ],
)
def test_other_zip_files_are_called_what_they_are(name, words):
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr(name, "x")
    with pytest.raises(FileProblem, match=words):
        read(buffer.getvalue(), name="list.xlsx")


def parquet(table, **options):
    buffer = BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def test_a_parquet_file_with_too_many_rows_is_refused_from_its_contents():
    # Five million equal values take a few hundred bytes.
    bomb = parquet(pa.table({"a": pa.repeat(1, limits.ROWS + 1)}))
    assert len(bomb) < 100_000
    with pytest.raises(FileProblem, match="up to 5,000,000 are read"):
        read(bomb, name="list.parquet")


def test_one_long_text_in_every_row_is_not_written_out():
    bomb = parquet(pa.table({"a": pa.repeat("x" * 100_000, 20_000)}))
    assert len(bomb) < limits.MB
    with pytest.raises(FileProblem, match="The text of the file is larger"):
        read(bomb, name="list.parquet")


def test_lists_in_cells_are_named():
    with pytest.raises(FileProblem, match="The column 'tags' holds list"):
        read(parquet(pa.table({"tags": [["a", "b"]]})), name="list.parquet")
