"""The import and export screen: for each role, empty, and from a file to its undoing."""

import time

import pytest
from sqlalchemy import func, select

from ma.files.spreadsheet import to_excel
from ma.models import Customer, ImportRun
from ma.services import imports
from ui import import_job

PEOPLE = (
    "Customer ID,Vorname,Nachname,E-Mail,Telefon,PLZ\n"
    "A1,Jürgen,NA,juergen@example.com,00491701234567,01234\n"
    "A2,Änne,Groß,aenne@example.com,,04109\n"
)
DIRTY = PEOPLE + "A3,Bo,Ek,no address,,1\nA1,Again,Same,x@example.com,,2\n"


def words(test) -> str:
    kinds = ("title", "subheader", "markdown", "caption", "info", "error", "warning", "success")
    said = [str(element.value) for kind in kinds for element in getattr(test, kind)]
    return "\n".join(said + [table.value.to_csv() for table in test.dataframe])


def figures(test) -> dict[str, str]:
    return {metric.label: metric.value for metric in test.metric}


def links(test) -> list[str]:
    return [element.proto.url for element in test.get("link_button")]


def button(test, key):
    return next(one for one in test.button if one.key == key)


@pytest.fixture
def upload(screen, act_as):
    """`upload(content, name)` opens the screen as a marketer and chooses a file."""

    def choose(content, name="people.csv"):
        act_as("marketer")
        test = screen("files")
        content = content.encode() if isinstance(content, str) else content
        test.file_uploader[0].upload(name, content)
        return test.run()

    return choose


def finish(test):
    """Start the import of a checked file and wait until it has ended."""
    job_id = test.query_params["import"]
    job_id = job_id[0] if isinstance(job_id, list) else job_id
    test = button(test, "import-start").click().run()
    for _ in range(200):
        if not import_job._jobs[job_id].under_way:
            break
        time.sleep(0.05)
    return test.run()


def count(database, model) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(model))


def test_nobody_signed_in_learns_nothing(workbench, act_as, screen):
    act_as(None)
    test = screen("files")
    assert not test.exception
    assert "Your session has ended" in words(test)
    assert not test.button


def test_each_role_sees_what_it_may(workbench, act_as, screen):
    act_as("viewer")
    test = screen("files")
    assert not test.exception
    assert "Bringing files in needs the role marketer" in words(test)
    assert not test.file_uploader
    assert not links(test)
    assert "needs the role analyst" in words(screen("files", view="export"))
    act_as("analyst")
    test = screen("files")
    assert {"/export/customers.csv", "/export/purchases.xlsx", "/export/events.parquet"} <= set(links(test))
    act_as("marketer")
    test = screen("files")
    assert len(test.file_uploader) == 1
    assert "A line of an order in each row" in words(test)


def test_a_file_is_detected_mapped_checked_imported_and_undone(upload, workbench):
    test = upload(PEOPLE.encode("latin-1"))
    assert not test.exception
    said = words(test)
    for found in ("2 rows", "6 columns", "Windows", "Separated by comma", "matched by their names"):
        assert found in said
    chosen = {
        box.label: box.value for box in test.selectbox if box.key and box.key.startswith("import-column")
    }
    assert list(chosen.values()) == [
        "external_id",
        "first_name",
        "last_name",
        "email",
        "phone",
        "postal_code",
    ]
    test = button(test, "import-check").click().run()
    assert not test.exception
    assert figures(test) == {"New": "2", "Changed": "0", "Unchanged": "0", "Rejected": "0"}
    assert count(workbench, Customer) == 0
    test = finish(test)
    assert not test.exception
    assert "is in." in words(test)
    with workbench.reading() as session:
        found = session.execute(
            select(Customer.first_name, Customer.last_name, Customer.phone, Customer.postal_code).order_by(
                Customer.id
            )
        ).all()
    assert [tuple(row) for row in found] == [
        ("Jürgen", "NA", "00491701234567", "01234"),
        ("Änne", "Groß", None, "04109"),
    ]
    test = button(test, "import-over").click().run()
    assert "people" in words(test)
    undo = next(one for one in test.button if one.label == "Undo")
    test = undo.click().run()
    assert "is taken out again (2 new rows)" in words(test)


def test_what_is_rejected_is_said_with_row_column_and_value(upload, workbench):
    test = button(upload(DIRTY), "import-check").click().run()
    assert not test.exception
    assert figures(test)["Rejected"] != "0"
    said = words(test)
    assert "no address" in said
    assert any("/rejected.csv" in link for link in links(test))
    assert count(workbench, ImportRun) == 0


def test_another_choice_needs_another_check(upload, workbench):
    test = button(upload(PEOPLE), "import-check").click().run()
    box = next(box for box in test.selectbox if box.label == "Field for Telefon")
    test = box.set_value("").run()
    assert not figures(test)
    assert "Check again" in words(test)


@pytest.mark.parametrize(
    ("content", "name", "remedy"),
    [
        (b"", "empty.csv", "The file is empty"),
        (b"a,b\n", "header.csv", "no rows below it"),
        (b"\x80\x04evil", "evil.csv", "never opened"),
        (b"PK\x03\x04evil", "evil.xlsx", "damaged"),
    ],
)
def test_a_hostile_or_empty_file_is_refused_in_words(upload, content, name, remedy):
    test = upload(content, name)
    assert not test.exception
    assert remedy in words(test)
    assert "import-check" not in {one.key for one in test.button}


def test_a_sheet_of_a_workbook_comes_in_as_well(upload, workbench):
    import pandas as pd

    test = upload(
        to_excel(pd.DataFrame({"email": ["anna@example.com"], "phone": ["+49 170 1"]})), "list.xlsx"
    )
    test = button(test, "import-check").click().run()
    assert not test.exception
    assert figures(test)["New"] == "1"


def test_a_failed_import_says_so_and_keeps_nothing(upload, workbench, monkeypatch):
    test = button(upload(PEOPLE), "import-check").click().run()

    def fail(*_, **__):
        raise RuntimeError("anna@example.com")

    monkeypatch.setattr(imports, "apply", fail)
    test = finish(test)
    assert not test.exception
    assert "report reference" in words(test)
    assert "anna@example.com" not in words(test)
    assert count(workbench, Customer) == 0


def test_nobody_sees_the_dry_run_of_somebody_else(upload, workbench, act_as, screen):
    test = button(upload(PEOPLE), "import-check").click().run()
    job_id = test.query_params["import"]
    job_id = job_id[0] if isinstance(job_id, list) else job_id
    act_as("admin")
    assert "import-start" not in {one.key for one in screen("files", **{"import": job_id}).button}
    act_as("marketer")
    assert "import-start" in {one.key for one in screen("files", **{"import": job_id}).button}


def test_a_row_with_too_many_cells_is_rejected_not_shifted(upload, workbench):
    test = button(upload("email,city\na@example.com,Berlin\nb@example.com,Frankfurt, Oder\n"), "import-check")
    test = test.click().run()
    assert not test.exception
    assert (figures(test)["New"], figures(test)["Rejected"]) == ("1", "1")
    assert "3 cells, the header 2" in words(test)


def test_a_cancelled_import_keeps_nothing(upload, workbench):
    test = button(upload(PEOPLE), "import-check").click().run()
    job_id = test.query_params["import"]
    import_job._jobs[job_id[0] if isinstance(job_id, list) else job_id].cancel()
    test = finish(test)
    assert not test.exception
    assert "Nothing of it was kept." in words(test)
    assert (count(workbench, Customer), count(workbench, ImportRun)) == (0, 0)
