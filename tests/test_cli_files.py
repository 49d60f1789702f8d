"""Importing and exporting on the command line and from a notebook."""

import json
import shutil

import pandas as pd
import pytest
from sqlalchemy import select

from ma import clock
from ma.cli import main
from ma.db.engine import connect
from ma.errors import FileProblem
from ma.files.reading import read
from ma.models import Audit, Customer
from ma.notebook import Workbench
from ma.services.workspace import create_workspace
from ma.settings import settings
from ma.types import SYSTEM

PEOPLE = (
    "Nummer;Vorname;Nachname;E-Mail;Telefon;Geburtsdatum\nA1;Jürgen;NA;j@example.com;00491701;31.12.1980\n"
)


@pytest.fixture
def workbench(template_sqlite, tmp_path, monkeypatch):
    """A workspace of its own, in the settings as well."""
    shutil.copy(template_sqlite, tmp_path / "ma.db")
    url = f"sqlite:///{tmp_path / 'ma.db'}"
    database = connect(url)
    with database.writing() as session:
        create_workspace(
            session, SYSTEM, name="Shop", timezone="Europe/Berlin", currency="EUR", at=clock.now()
        )
    monkeypatch.setenv("MA_DATABASE_URL", url)
    settings.cache_clear()
    yield Workbench(database)
    settings.cache_clear()
    database.close()


@pytest.fixture
def run(workbench, capsys):
    """`run("import", "customers", …)`: what a command prints, and its exit code."""

    def command(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return captured.out, captured.err, ended.value.code or 0

    return command


@pytest.fixture
def people(tmp_path):
    path = tmp_path / "people.csv"
    path.write_bytes(PEOPLE.encode("latin-1"))
    return path


def customers(workbench):
    with workbench._database.reading() as session:
        return session.execute(select(Customer.external_id, Customer.last_name, Customer.phone)).all()


def test_a_dry_run_says_what_would_come_and_writes_nothing(run, people, workbench):
    out, _, code = run("import", "customers", people, "--map", "external_id=Nummer", "--dry-run")
    assert code == 0
    assert "1 row: 1 new, 0 changed, 0 unchanged, 0 rejected." in out
    assert "Nothing was written: this was a dry run." in out
    assert customers(workbench) == []


def test_an_import_comes_in_once_and_can_be_undone(run, people, workbench):
    given = ("import", "customers", people, "--map", "external_id=Nummer", "--json")
    out, _, code = run(*given)
    told = json.loads(out)
    assert (code, told["counts"]["new"], told["key"]) == (0, 1, "external_id")
    assert told["mapping"]["birth_date"] == "Geburtsdatum"
    assert customers(workbench) == [("A1", "NA", "00491701")]
    again = json.loads(run(*given)[0])
    assert (again["import_id"], again["counts"]["unchanged"]) == (None, 1)
    out, _, code = run("import", "undo", told["import_id"])
    assert code == 0
    assert f"Import {told['import_id']} is undone" in out
    out, err, code = run("import", "undo", told["import_id"])
    assert (code, "taken back already" in err) == (1, True)


def test_rejected_rows_are_written_to_a_file(run, tmp_path, workbench):
    (tmp_path / "dirty.csv").write_text("email,zip\nno address,1\na@example.com,2\n")
    out, _, code = run(
        "import", "customers", tmp_path / "dirty.csv", "--key", "email", "--rejected", tmp_path / "bad.csv"
    )
    assert code == 0
    assert "Row 2, email:" in out
    bad = read(tmp_path / "bad.csv", name="bad.csv").frame
    assert bad["email"].tolist() == ["no address"]
    assert bad["problem"].str.contains("email").all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import", "customers", "nowhere.csv"), "cannot be read"),
        (("import", "customers", "{people}", "--map", "Nummer"), "name=value"),
        (("import", "customers", "{people}", "--map", "shoe_size=Nummer"), "There is no field 'shoe_size'"),
        (("import", "customers", "{people}", "--map", "email=Mail"), "no column 'Mail'"),
        (("import", "customers", "{people}", "--key", "name"), "'name' is no key"),
        (("import", "customers", "{people}", "--date-format", "soon"), "no date format"),
        (("import", "customers", "{people}", "--encoding", "klingon"), "no encoding"),
        (("import", "undo", "77"), "There is no import 77"),
        (("export", "salaries", "{people}.csv"), "There is no table 'salaries'"),
        (("export", "customers", "{people}.pdf"), ".csv, .parquet, .xlsx"),
        (("export", "customers", "{people}.csv", "shoe=1"), "no parameter 'shoe'"),
        (("export", "customers", "/nowhere/at/all.csv"), "cannot be written"),
    ],
)
def test_what_goes_wrong_is_one_line_with_its_remedy(run, people, arguments, said):
    out, err, code = run(*(argument.replace("{people}", str(people)) for argument in arguments))
    assert code == 1
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("extension", ["csv", "parquet", "xlsx"])
def test_what_is_exported_comes_in_again_unchanged(run, people, workbench, tmp_path, extension):
    run("import", "customers", people, "--map", "external_id=Nummer")
    file = tmp_path / f"all.{extension}"
    out, _, code = run("export", "customers", file)
    assert (code, out.rstrip().endswith(": 1.")) == (0, True)
    with workbench._database.reading() as session:
        detail = session.scalar(select(Audit.detail).where(Audit.action == "export"))
    assert (detail["extension"], detail["rows"]) == (extension, 1)
    assert read(file, name=file.name).frame["email"].tolist() == ["j@example.com"]
    seen = workbench.import_file("customers", file, key="external_id")
    assert seen.counts == {"rows": 1, "new": 0, "changed": 0, "unchanged": 1, "rejected": 0}


def test_a_notebook_looks_first_and_imports_then(workbench, people, tmp_path):
    seen = workbench.import_file("customers", people, mapping={"external_id": "Nummer", "phone": ""})
    assert (seen.import_id, seen.counts["new"]) == (None, 1)
    assert "phone" not in seen.mapping
    assert isinstance(seen.rejected, pd.DataFrame)
    done = workbench.import_file("customers", people, mapping={"external_id": "Nummer"}, dry_run=False)
    assert done.import_id
    assert workbench.export("customers", tmp_path / "out.parquet", q="Jürgen") == 1
    with pytest.raises(FileProblem, match="Name the file"):
        workbench.export("customers", tmp_path / "out")
    workbench.undo_import(done.import_id)
    assert workbench.customers().empty


def test_real_results_come_in_and_go_again(run, people, workbench, tmp_path):
    run("import", "customers", people, "--map", "external_id=Nummer")
    (tmp_path / "spring.csv").write_text(
        "E-Mail,Sent,First open,Order time,Revenue\n"
        "J@example.com,2024-03-01 10:00,2024-03-01 11:00,2024-03-11 10:00,12.50\n"
        "x@example.com,2024-03-01 10:00,,,\n"
    )
    given = ("import", "outcomes", tmp_path / "spring.csv", "--campaign", "Spring")
    out, err, code = run(*given)
    assert (code, out) == (1, "")
    assert "one channel for the whole file" in err
    out, _, code = run(*given, "--channel", "email", "--dry-run")
    assert code == 0
    assert "2 rows: 1 new, 0 changed, 0 unchanged, 1 rejected." in out
    assert "1 conversion came after the window" in out
    told = json.loads(run(*given, "--channel", "email", "--window-days", "14", "--json")[0])
    assert (told["counts"]["new"], told["counts"]["campaigns"], told["key"]) == (1, 1, "email")
    assert told["mapping"]["converted_at"] == "Order time"
    (row,) = workbench.campaigns().itertuples()
    assert (row.name, row.source, row.status, row.sent) == ("Spring", "imported", "completed", 1)
    reached = workbench.funnel(row.campaign_id).set_index("step")["people"].to_dict()
    assert reached == {"sent": 1, "opened": 1, "converted": 1}
    out, _, code = run("import", "undo", told["import_id"])
    assert code == 0
    assert "1 campaigns removed" in out
    assert workbench.campaigns().empty


def test_a_platforms_totals_come_in_once(run, workbench, tmp_path):
    (tmp_path / "totals.csv").write_text(
        "Title,Send Date,Total Recipients,Total Bounces,Unique Opens,Total Opens,Open Rate\n"
        '"News","Mar 01, 2024 10:00 am","1,000",10,396,800,40.0%\n'
        '"News","Mar 08, 2024 10:00 am","1,000",10,991,800,40.0%\n'
    )
    given = ("import", "totals", tmp_path / "totals.csv", "--channel", "email", "--json")
    told = json.loads(run(*given)[0])
    assert (told["counts"]["new"], told["counts"]["rejected"], told["key"]) == (1, 1, "name")
    assert told["mapping"]["opened"] == "Unique Opens"
    assert told["notes"] == []
    assert workbench.campaigns()["name"].tolist() == ["News"]
    seen = workbench.import_file("totals", tmp_path / "totals.csv")
    assert (seen.counts["unchanged"], seen.counts["rejected"]) == (1, 1)
    workbench.undo_import(told["import_id"])
    assert workbench.campaigns().empty
