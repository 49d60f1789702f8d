"""docs/analytics.ipynb runs from its first cell to its last, and its figures are those of the analytics."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient
from sqlalchemy import func, select

from ma import clock
from ma.analytics import funnel, kpis, roi, segment_performance
from ma.analytics.attribution import MODELS
from ma.analytics.frames import frames
from ma.db.engine import connect
from ma.models import Outcome, Purchase
from ma.services.workspace import create_workspace
from ma.types import SYSTEM
from tests.pages.test_replay import fill
from tests.report.test_document import Page

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "docs" / "analytics.ipynb"
FRAMES = (
    "kpis", "funnel", "campaigns", "channels", "ages", "segments", "lift", "tests", "differences",
    "credit", "cohorts",
)  # fmt: skip
# What the test asks of the notebook when it is through.
TOLD = f"""
import json
named = {{name: json.loads(globals()[name].to_json(orient="split", date_format="iso")) for name in {FRAMES}}}
print(json.dumps({{"as_of": as_of.isoformat(), "file": str(file), "frames": named}}))
"""


@pytest.fixture(scope="module")
def database(template_sqlite, tmp_path_factory):
    """400 customers who bought in five months; two simulated campaigns, one a test; a real mailing."""
    path = tmp_path_factory.mktemp("notebook") / "ma.db"
    path.write_bytes(template_sqlite.read_bytes())
    database = connect(f"sqlite:///{path}")
    now = clock.now()
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Shop", timezone="Europe/Berlin", currency="EUR", at=now)
        fill(session)
        session.add_all(
            Purchase(customer_id=n, kind="sale", at=now - timedelta(days=days), amount_minor=1000 + n)
            for n in range(1, 401)
            for days in ((150 - n % 5 * 30, 20) if n % 3 else (150 - n % 5 * 30,))
        )
    yield database
    database.close()


@pytest.fixture(scope="module")
def ran(database, tmp_path_factory):
    """What the notebook told when it had run, by this very Python, and what its cells showed."""
    from ipykernel.kernelspec import write_kernel_spec

    folder = tmp_path_factory.mktemp("jupyter")
    write_kernel_spec(folder / "kernels" / "workbench")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(TOLD))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "MA_DATABASE_URL": database.engine.url.render_as_string(hide_password=False),
            "JUPYTER_PATH": folder,
            "JUPYTER_RUNTIME_DIR": folder / "runtime",
            "IPYTHONDIR": folder / "ipython",
            "TMPDIR": folder,
            "PLOTLY_RENDERER": "plotly_mimetype",
            "PYTHONWARNINGS": "default",
        }.items():
            patch.setenv(name, str(value))
        # Where Jupyter starts it: in the notebook's own folder.
        where = {"metadata": {"path": str(NOTEBOOK.parent)}}
        client = NotebookClient(notebook, timeout=180, kernel_name="workbench", resources=where)
        client.execute()
    told = json.loads(notebook.cells[-1].outputs[-1]["text"])
    return told, [cell.outputs for cell in notebook.cells[:-1] if cell.cell_type == "code"]


def test_the_figures_of_the_notebook_are_those_of_the_analytics(ran, database):
    told, _ = ran
    as_of = datetime.fromisoformat(told["as_of"])
    end = clock.local_day(as_of, "Europe/Berlin") + timedelta(days=1)
    with database.reading() as session:
        same = {"session": session, "as_of": as_of}
        email = [
            i
            for i, name in zip(*_of(roi.roi(**same), "campaign_id", "channel"), strict=True)
            if name == "email"
        ]
        expected = {
            "kpis": kpis.kpis(**same, start=end - timedelta(days=91), end=end),
            "campaigns": roi.roi(**same),
            "funnel": funnel.funnel(**same, campaign_ids=email),
            "segments": segment_performance.performance(**same),
            "channels": frames()["breakdown"](**same, by="channel"),
            "ages": frames()["breakdown"](**same, by="age"),
            "lift": frames()["incrementality"](**same),
            "tests": frames()["experiments"](**same),
            "differences": frames()["experiment_differences"](**same, figure="converted"),
            "credit": frames()["attribution"](**same),
            "cohorts": frames()["cohorts"](**same),
        }
    assert set(expected) == set(FRAMES)
    for name, frame in expected.items():
        assert told["frames"][name] == json.loads(frame.to_json(orient="split", date_format="iso")), name
        assert len(frame), name


def _of(frame, *columns):
    return [frame[column].tolist() for column in columns]


def test_its_key_figures_can_be_counted_by_hand(ran, database):
    told, _ = ran
    found = {name: _frame(value) for name, value in told["frames"].items()}
    as_of = datetime.fromisoformat(told["as_of"])
    with database.reading() as session:
        rows = session.execute(
            select(Outcome.campaign_id, Outcome.arm, func.count(), func.count(Outcome.converted_at))
            .where(Outcome.assigned_at <= as_of)
            .group_by(Outcome.campaign_id, Outcome.arm)
        ).all()
        buyers = session.scalar(select(func.count(func.distinct(Purchase.customer_id))))
    people = {(campaign_id, arm): (number, converted) for campaign_id, arm, number, converted in rows}
    tried = found["lift"].iloc[0]
    (sent, bought), (held, bought_anyway) = people[1, "treated"], people[1, "holdout"]
    assert (tried["people_sent"], tried["people_held_out"]) == (sent, held)
    assert tried["rate_difference"] == pytest.approx(bought / sent - bought_anyway / held)
    assert tried["incremental_conversions"] == pytest.approx(bought - sent * bought_anyway / held)
    assert found["funnel"]["people"].iloc[0] <= people[1, "treated"][0] + people[2, "treated"][0]
    # Everybody who ever bought is in one cohort.
    assert found["cohorts"].drop_duplicates("cohort")["cohort_customers"].sum() == buyers == 400
    sums = found["credit"].groupby("model")["conversions"].sum()
    assert set(sums.index) == set(MODELS)
    assert np.ptp(sums) == pytest.approx(0, abs=1e-9)
    assert sums.iloc[0] > 0


def _frame(value):
    return pd.DataFrame(value["data"], columns=value["columns"])


def test_it_draws_and_writes_the_report(ran):
    told, shown = ran
    kinds = [set(output.get("data", {})) for outputs in shown for output in outputs]
    assert sum("application/vnd.plotly.v1+json" in kind for kind in kinds) == 6
    assert "Tried" in Page(Path(told["file"]).read_text(encoding="utf-8")).words


def test_no_outputs_are_kept_in_the_file():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
    assert NOTEBOOK.stat().st_size < 20_000
