"""The Python lines of the export menu give the table that the menu exports."""

import inspect
import shutil
from datetime import date
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pandas as pd
import pytest

from ma import clock
from ma.analytics.frames import frames
from ma.db.engine import connect
from ma.events.relay import relay_once
from ma.files.writing import written
from ma.services.launches import launch_campaign
from ma.services.scoring import score_customers
from ma.services.segments import create_segment, refresh_segment
from ma.subscribers.loop import InProcess
from ma.types import SYSTEM
from ma.worker import tell_outcomes
from tests.services import campaign_world as world
from tests.services import next_action_world
from ui import session as ui_session
from ui.export import export_url, python_lines
from ui.routes import _file

SEVENS = {"any": [{"field": "external_id", "operator": "ends_with", "value": '7"\\'}]}
# A value for every parameter that some table needs, and for some that it takes.
NEEDED = {
    "campaign_id": 1,
    "customer_id": 7,
    "lead_id": 1,
    "ticket_id": 1,
    "segment_id": 1,
    "segment_ids": [1, 2],
    "start": date(2026, 2, 1),
    "end": date(2026, 4, 1),
    "week": date(2026, 3, 2),
    "field": "channel",
    "value": "email",
}
ALSO = {
    "customers": {"q": "H7", "columns": "email,orders", "descending": True},
    "campaigns": {"archived": "false", "status": "completed"},
    "roi": {"campaign_ids": [1, 2]},
    "funnel": {"campaign_ids": 1},
    "segment_members": {"limit": 5, "sort": "name"},
    "segment_steps": {"rule": str(SEVENS).replace("'", '"').replace('7"\\\\"', '7"')},
    "segment_missing": {"segment_id": 2},
    "segment_glance": {"segment_id": 2},
    "trend": {"by": "week"},
    "segment_drift": {"months": 2},
    "best_worst": {"measure": "revenue_per_recipient_minor"},
}


@pytest.fixture(scope="module")
def shop(template_sqlite, tmp_path_factory):
    """120 people with orders, two segments, two launched campaigns and two drafts, at one instant that stays.

    SQLite is enough: the lines and the file read the same database. The lines find it by themselves.
    """
    path = tmp_path_factory.mktemp("lines") / "ma.db"
    shutil.copy(template_sqlite, path)
    database, at = connect(f"sqlite:///{path}"), world.NOW + world.days(20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MA_DATABASE_URL", f"sqlite:///{path}")
        patch.setattr(clock, "now", lambda: at)
        patch.setattr(ui_session, "database", lambda: database)
        with database.writing() as session:
            world.build(session, 120)
            assert create_segment(session, SYSTEM, name="Sevens", rule=SEVENS, at=at) == 2
            for segment_id in (1, 2):
                refresh_segment(session, SYSTEM, segment_id, at=at)
            for channel in ("sms", "email"):
                launched = world.draft(session, f"By {channel}", channel=channel, holdout_share=0.1,
                                       cost_per_thousand_minor=4_000, fixed_cost_minor=100)  # fmt: skip
                launch_campaign(session, SYSTEM, launched, at=world.NOW, seed=7)
            for name in ("Soon", "Later"):
                world.draft(session, name, cost_per_thousand_minor=4_000, fixed_cost_minor=100)
            next_action_world.orders(session, np.random.default_rng(1), 120)
        score_customers(database, SYSTEM, at=at)
        # Sales and Service hear of what people did, and the workbench of what they made of it.
        tell_outcomes(database, at=at)
        while relay_once(database, InProcess(database), at=at):
            pass
        yield database
    database.close()


def given(name):
    """Parameters for a table: what it needs, and what is of interest."""
    takes = inspect.signature(frames()[name]).parameters
    needed = [
        key for key, one in takes.items() if one.default is one.empty and key not in ("session", "as_of")
    ]
    missing = set(needed) - NEEDED.keys()
    assert not missing, f"'{name}' needs {missing}: add an example to NEEDED"
    return {key: NEEDED[key] for key in needed} | ALSO.get(name, {})


def run(code):
    """What the lines call `table`, in a program of their own."""
    names = {}
    exec(code, names)
    return names["table"]


def exported(name, params):
    query = dict(parse_qsl(urlsplit(export_url(name, "csv", **params)).query))
    return _file(SYSTEM, name, "csv", query)


def test_every_table_that_can_be_exported_is_that_of_its_lines(shop):
    filled = 0
    for name in frames():
        params = given(name)
        table = run(python_lines(name, **params))
        assert written(table, "csv") == exported(name, params), name
        filled += len(table) > 0
    # Equal only where nothing is in either would prove little.
    assert filled > 0.7 * len(frames())


@pytest.mark.parametrize(
    ("name", "params", "line"),
    [
        ("forecast", {"campaign_id": 3}, "workbench.forecast(3)"),
        (
            "budget_plan",
            {"campaign_ids": [3, 4], "budget_minor": 500, "days_apart": 2},
            "workbench.budget_plan([3, 4], 500, days_apart=2)",
        ),
        ("replay", {"campaign_id": 2, "change": ""}, "workbench.replay(2)"),
    ],
)
def test_what_is_worked_out_anew_is_that_of_its_own_lines(shop, name, params, line):
    code = python_lines(name, **params)
    assert code.splitlines()[-1] == f"table = {line}"
    table = run(code)
    assert len(table)
    assert written(table, "csv") == exported(name, params)


def test_a_replays_lines_have_what_was_changed(shop):
    code = python_lines(
        "replay", campaign_id=2, holdout_share=0.0, fixed_cost_minor=0, effects={"clicked": 0.5}
    )
    table = run(code).set_index("figure")
    plain = run(python_lines("replay", campaign_id=2)).set_index("figure")
    assert table.loc["sent", "changed"] > plain.loc["sent", "changed"]
    assert max(map(len, code.splitlines())) <= 88


def test_lists_dates_numbers_and_texts_are_written_as_python():
    code = python_lines("roi", campaign_ids=[3, 5], start=date(2026, 1, 2), limit=7, q='ä"\\\n', none=None)
    assert code.splitlines()[:4] == ["from ma.notebook import connect", "", "workbench = connect()",
                                     "table = workbench.frame("]  # fmt: skip
    asked = {}

    class Bench:
        def frame(self, name, **params):
            asked.update(params, frame=name)
            return pd.DataFrame()

    exec(code.split("\n", 3)[3], {"workbench": Bench()})
    assert asked == {"frame": "roi", "campaign_ids": "3,5", "start": "2026-01-02", "limit": 7, "q": 'ä"\\\n'}
