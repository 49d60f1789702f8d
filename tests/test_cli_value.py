"""`python -m ma value fit`: what it prints of a table of customers, and what it says of a bad one."""

import json
from importlib.metadata import distribution

import pandas as pd
import pytest

from ma.cli import main


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """`run("fit", …)`: what a command prints, and its exit code. It needs no workspace."""
    monkeypatch.setenv("MA_DATABASE_URL", f"sqlite:///{tmp_path / 'none.db'}")

    def command(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["value", *(str(argument) for argument in arguments)])
        captured = capsys.readouterr()
        return captured.out, captured.err, ended.value.code or 0

    yield command
    assert not (tmp_path / "none.db").exists()


@pytest.fixture
def cdnow(tmp_path):
    data = distribution("lifetimes").locate_file("lifetimes/datasets")
    frame = pd.read_csv(data / "cdnow_customers_summary_with_transactions.csv")
    frame = frame.rename(columns={"x": "frequency", "t_x": "recency", "zbar": "monetary_value"})
    frame.to_csv(tmp_path / "cdnow.csv", index=False)
    return tmp_path / "cdnow.csv"


def test_the_figures_of_the_papers_as_json(run, cdnow):
    out, err, code = run("fit", cdnow, "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert list(told) == ["purchases", "orders"]
    values = {name: found["value"] for name, found in told["purchases"]["parameters"].items()}
    assert values == pytest.approx({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, abs=5e-4)
    assert told["purchases"]["parameters"]["alpha"]["se"] == pytest.approx(0.378, abs=5e-4)
    assert told["purchases"]["log_likelihood"] == pytest.approx(-9582.4, abs=0.05)
    assert (told["purchases"]["customers"], told["purchases"]["repeat_customers"]) == (2357, 946)
    assert told["purchases"]["converged"]
    assert told["orders"]["customers"] == 946
    assert told["orders"]["parameters"]["p"] == pytest.approx({"value": 6.25, "se": 1.19}, abs=5e-3)


def test_a_person_reads_a_table(run, cdnow):
    out, _, code = run("fit", cdnow)
    assert code == 0
    assert "Purchase model (BG/NBD): 2,357 customers, 946 bought again" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["alpha", "4.4135", "0.3782"] in lines
    assert ["Log-likelihood", "-9,582.4256"] in lines
    assert ["p", "6.2488", "1.1897"] in lines


def test_without_amounts_there_is_one_model_and_weights_count(run, cdnow, tmp_path):
    frame = pd.read_csv(cdnow).drop(columns=["monetary_value", "ID"])
    counted = frame.value_counts().rename("weight").reset_index()
    counted.to_parquet(tmp_path / "counted.parquet")
    out, _, code = run("fit", tmp_path / "counted.parquet", "--json")
    told = json.loads(out)
    assert (code, list(told)) == (0, ["purchases"])
    assert len(counted) < told["purchases"]["customers"] == 2357
    assert told["purchases"]["log_likelihood"] == pytest.approx(-9582.4, abs=0.05)


def test_a_fit_that_fails_says_so(run, tmp_path):
    rows = "".join(f"{x},{t},10,7\n" for x, t in ((1, 5), (2, 6), (3, 9)) * 40)
    (tmp_path / "alike.csv").write_text("frequency,recency,T,monetary_value\n" + rows)
    out, _, code = run("fit", tmp_path / "alike.csv")
    assert code == 0
    assert "the model does not fit these customers" in out
    assert " –" in out
    told = json.loads(run("fit", tmp_path / "alike.csv", "--json")[0])
    assert told["orders"]["at_bounds"]
    assert {found["se"] for found in told["orders"]["parameters"].values()} == {None}


REFUSED = {
    "frequency,recency\n1,2\n": "There is no column T. The columns are: frequency, recency.",
    "frequency,recency,T\n1,2,3\n1,5,4\n": "Row 3: recency 5 is more than T 4.",
    "frequency,recency,T\n-1,2,3\n": "Row 2: frequency -1 is negative.",
    "frequency;recency;T\n1;2,5;3\n": "Row 2: recency '2,5' is not a number. Write it like 1234.5.",
    "frequency,recency,T\n1,,3\n": "Row 2: recency is missing or infinite.",
    "frequency,recency,T\n0,0,3\n": "Nobody bought a second time",
    "frequency,recency,T\n": "There are no customers",
    "": "The file is empty.",
    "frequency,recency,T,monetary_value\n1,2,3,0\n": "No repeat purchase has an amount above 0",
}


@pytest.mark.parametrize(("text", "words"), REFUSED.items(), ids=REFUSED.values())
def test_a_bad_table_is_refused_with_the_remedy(run, tmp_path, text, words):
    (tmp_path / "bad.csv").write_text(text)
    out, err, code = run("fit", tmp_path / "bad.csv")
    assert (code, out) == (1, "")
    assert words in err
    told = json.loads(run("fit", tmp_path / "bad.csv", "--json")[0])
    assert told["error"] == "FileProblem"
    assert words in told["message"]


def test_a_file_that_is_not_there_is_one_line(run, tmp_path):
    assert "cannot be read" in run("fit", tmp_path / "none.csv")[1]
