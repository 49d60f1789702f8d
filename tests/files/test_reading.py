"""Files as people have them: encodings, separators, uneven rows, and what is written reads back the same."""

import codecs
import gzip
from datetime import UTC, date, datetime
from io import BytesIO

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ma.errors import FileProblem
from ma.files.reading import read
from ma.files.spreadsheet import to_excel
from ma.files.writing import to_csv, to_parquet, written

PEOPLE = "Vorname,Telefon,PLZ,Nachname\nJürgen,00491701,01234,NA\nÄnne,+49 30,04109,null\n"
TYPED = {
    "Vorname": ["Jürgen", "Änne"],
    "Telefon": ["00491701", "+49 30"],
    "PLZ": ["01234", "04109"],
    "Nachname": ["NA", "null"],
}


def rows(content, **options):
    return read(content, name="people", **options).frame.astype(object).where(lambda f: f.notna(), None)


@pytest.mark.parametrize(
    ("codec", "mark", "name"),
    [
        ("utf-8", b"", "UTF-8"),
        ("utf-8", codecs.BOM_UTF8, "UTF-8"),
        ("latin-1", b"", "Windows-1252"),
        ("cp1252", b"", "Windows-1252"),
        ("utf-16-le", codecs.BOM_UTF16_LE, "UTF-16"),
        ("utf-16-be", codecs.BOM_UTF16_BE, "UTF-16"),
        ("utf-16-le", b"", "UTF-16 (little endian)"),
        ("utf-16-be", b"", "UTF-16 (big endian)"),
    ],
)
def test_the_encoding_is_found_and_what_was_typed_is_kept(codec, mark, name):
    sheet = read(mark + PEOPLE.encode(codec), name="people.csv")
    assert (sheet.encoding, sheet.format) == (name, "csv")
    assert sheet.frame.to_dict("list") == TYPED


def test_a_chosen_encoding_wins_and_a_wrong_one_is_named():
    assert rows("a\n€\n".encode("cp1252"), encoding="Latin-1")["a"].tolist() == ["\x80"]
    with pytest.raises(FileProblem, match="The file is not UTF-8"):
        read("a\nÄ\n".encode("latin-1"), name="x", encoding="UTF-8")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_separators_and_line_endings_are_found(separator, ending):
    text = PEOPLE.replace(",", separator).replace("\n", ending)
    sheet = read(text.encode(), name="people")
    assert sheet.separator == separator
    assert sheet.frame.to_dict("list") == TYPED


def test_a_comma_within_the_text_does_not_hide_the_semicolons():
    sheet = read(b"name;amount\nA;1,50\nB, C;2,50\n", name="x")
    assert sheet.separator == ";"
    assert sheet.frame["amount"].tolist() == ["1,50", "2,50"]
    assert read(b"name;amount\nA;1\n", name="x", separator=",").frame.shape == (1, 1)


def test_excels_hint_of_the_separator_is_no_header():
    sheet = read(b"sep=;\r\na;b\r\n1;2\r\n", name="x")
    assert (sheet.separator, sheet.first_row, sheet.frame.to_dict("list")) == (
        ";",
        3,
        {"a": ["1"], "b": ["2"]},
    )


def test_quoted_line_breaks_and_quotation_marks_stay_in_their_cell():
    found = rows(b'a,b\n"one\r\ntwo","say ""hi"""\n5" pipe,x\n')
    assert found.to_dict("list") == {"a": ["one\r\ntwo", '5" pipe'], "b": ['say "hi"', "x"]}


def test_uneven_rows_are_filled_or_reported_in_their_places():
    sheet = read(b"a,b,c\n1,2,3\n4\n\n5,6,7,8\n9,9,9,,\n\n\n", name="x")
    assert rows(b"a,b,c\n1,2,3\n4\n\n5,6,7,8\n9,9,9,,\n\n\n").to_numpy().tolist() == [
        ["1", "2", "3"],
        ["4", None, None],
        [None, None, None],
        ["5", "6", "7"],
        ["9", "9", "9"],
    ]
    assert list(sheet.surplus) == [3]
    assert "4 cells, the header 3" in sheet.surplus[3]


def test_headers_are_filled_and_told_apart():
    assert list(read(b" a ,,a,A\n1,2,3,4\n", name="x").frame) == ["a", "Column 2", "a (2)", "A"]


def test_a_header_alone_is_a_table_without_rows():
    sheet = read(b"a,b\n", name="x")
    assert sheet.frame.shape == (0, 2)
    assert read(b"a;b", name="x").frame.shape == (0, 2)


def test_empty_lines_above_the_header_count():
    sheet = read(b"\n\na,b\n1,2\n", name="x")
    assert (sheet.first_row, list(sheet.frame)) == (4, ["a", "b"])


def test_a_packed_csv_is_unpacked():
    assert read(gzip.compress(PEOPLE.encode()), name="people.csv.gz").frame.to_dict("list") == TYPED


def test_the_content_decides_not_the_name():
    frame = pd.DataFrame({"a": ["x"]})
    assert read(to_parquet(frame), name="a.csv").format == "parquet"
    assert read(to_excel(frame), name="a.parquet").format == "excel"
    assert read(to_csv(frame), name="a.xlsx").format == "csv"


def test_typed_cells_become_the_text_a_person_would_type():
    frame = pd.DataFrame(
        {
            "id": [491701.0, None],
            "day": [date(2026, 12, 31), None],
            "at": [datetime(2026, 11, 22, 9, 30, 15), None],
            "price": [0.1, 1234.5],
            "yes": [True, False],
            "zip": ["01234", "="],
            "big": [2**60, 1],
        }
    )
    expected = {
        "id": ["491701", None],
        "day": ["2026-12-31", None],
        "at": ["2026-11-22 09:30:15", None],
        "price": ["0.1", "1234.5"],
        "yes": ["true", "false"],
        "zip": ["01234", "="],
        "big": [str(2**60), "1"],
    }
    assert rows(to_parquet(frame)).to_dict("list") == expected
    assert rows(to_excel(frame)).to_dict("list") == expected


def test_times_with_a_zone_say_so():
    frame = pd.DataFrame({"at": pd.to_datetime(["2026-11-22T09:30:00+02:00"], utc=True)})
    assert rows(to_parquet(frame)).iloc[0, 0] == "2026-11-22 07:30:00+00:00"
    assert rows(to_excel(frame)).to_dict("list") == {"at (UTC)": ["2026-11-22 07:30:00"]}


@pytest.fixture(scope="module")
def two_sheets():
    import xlsxwriter

    buffer = BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        book.add_worksheet("Notes")
        sheet = book.add_worksheet("People")
        sheet.write_row(2, 1, ["name", "n", "when"])
        sheet.write_row(3, 1, ["Änne", 1])
        sheet.write_datetime(3, 3, datetime(2026, 11, 22), book.add_format({"num_format": "dd.mm.yyyy"}))
        sheet.write_row(5, 1, ["Bo", 2])
        book.add_worksheet("More").write_row(0, 0, ["x"])
    return buffer.getvalue()


def test_the_first_sheet_with_cells_is_read_or_the_one_chosen(two_sheets):
    sheet = read(two_sheets, name="x.xlsx")
    assert (sheet.sheet, sheet.sheets, sheet.first_row) == ("People", ("Notes", "People", "More"), 4)
    assert sheet.frame["name"].dropna().tolist() == ["Änne", "Bo"]
    assert sheet.frame["when"].iloc[0] == "2026-11-22"
    assert list(read(two_sheets, name="x.xlsx", sheet="More").frame) == ["x"]
    with pytest.raises(FileProblem, match=r"no sheet 'Other'\. It has: Notes, People, More"):
        read(two_sheets, name="x.xlsx", sheet="Other")
    with pytest.raises(FileProblem, match="The sheet 'Notes' has no cells"):
        read(two_sheets, name="x.xlsx", sheet="Notes")


# What is written reads back the same

# Letters, what spreadsheets run, what CSV quotes, what XML escapes; no surrogates, no NUL, no non-characters.
TEXT = st.text(
    st.sampled_from("'=+-@\t\r\n\"',;|ab0 é€Ä😀<&>_x")
    | st.characters(codec="utf-8", categories=["L", "N", "P"]),
    min_size=1,
    max_size=12,
).filter(lambda text: text.strip("\r\n"))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(TEXT, TEXT, st.none() | TEXT), min_size=1, max_size=6),
    st.sampled_from(["csv", "parquet"]),
)
def test_text_comes_back_as_it_was(cells, extension):
    frame = pd.DataFrame(cells, columns=["one", "=two", "three"]).astype(object)
    back = rows(written(frame, extension))
    assert list(back) == ["one", "=two", "three"]
    assert [tuple(row) for row in back.to_numpy().tolist()] == cells


@settings(max_examples=3, deadline=None)
@given(st.lists(st.tuples(TEXT, st.none() | TEXT), min_size=60, max_size=60))
def test_text_comes_back_from_excel_as_it_was(cells):
    frame = pd.DataFrame(cells, columns=["one", "'=two"]).astype(object)
    back = rows(written(frame, "xlsx"))
    assert list(back) == ["one", "'=two"]
    assert [tuple(row) for row in back.to_numpy().tolist()] == cells


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-(2**60), 2**60), st.floats(-1e12, 1e12), st.booleans()), min_size=1, max_size=5
    ),
    st.sampled_from(["csv", "parquet"]),
)
def test_numbers_come_back_as_they_were(values, extension):
    frame = pd.DataFrame(values, columns=["n", "x", "yes"])
    back = rows(written(frame, extension))
    assert back["n"].astype("int64").tolist() == frame["n"].tolist()
    assert back["x"].astype(float).tolist() == frame["x"].tolist()
    assert back["yes"].str.lower().tolist() == [str(value).lower() for value in frame["yes"]]


def test_excel_marks_what_it_would_run_and_runs_nothing():
    from zipfile import ZipFile

    frame = pd.DataFrame({"text": ["=1+1", "+49 170", "@x", "http://example.com"]})
    with ZipFile(BytesIO(to_excel(frame))) as book:
        sheet, styles = book.read("xl/worksheets/sheet1.xml"), book.read("xl/styles.xml")
    assert b"<f>" not in sheet
    assert b"hyperlink" not in sheet.lower()
    assert b'quotePrefix="1"' in styles


def test_too_much_for_a_sheet_is_said():
    with pytest.raises(FileProblem, match="32,767"):
        to_excel(pd.DataFrame({"a": ["x" * 32_768]}))
    with pytest.raises(FileProblem, match="Export CSV or Parquet"):
        to_excel(pd.DataFrame({"a": range(1_048_576)}))


def test_instants_come_back_from_a_csv():
    from ma.files.values import date_formats, parse_moments

    at = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    found = read(to_csv(pd.DataFrame({"at": [at]})), name="x").frame["at"]
    (form,) = date_formats(found)
    moments, bad = parse_moments(found, form, "Asia/Tokyo")
    assert not bad.any()
    assert moments[0] == at
