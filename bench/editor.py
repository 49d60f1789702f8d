"""How long a click in the rule editor takes on the server: 40 rules against one, on the same screen.

    python bench/editor.py [--customers 20000] [--clicks 15]

The screen of pages/segments.py is run without a browser (Streamlit's AppTest), so that what is measured is
the script: reading the click, parsing the rule, counting whom it chooses, explaining it, and drawing it. Each
click changes a number, so nothing can be taken from what was counted before.
"""

import argparse
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from streamlit.testing.v1 import AppTest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ma import clock
from ma.db import bulk, migrate
from ma.db.engine import connect
from ma.models import Customer
from ma.services import auth
from ma.services.segments import create_segment
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Channel, Role
from ui import quick_widgets
from ui import session as ui_session

LONGEST = 0.4
FIELDS = (("orders", 3), ("lifetime_value", 1_000), ("visits", 2), ("engagement", 10.0))


def rule(leaves: int) -> dict:
    """Groups of five different conditions, as many as asked for."""
    found = [{"field": name, "operator": "gte", "value": value} for name, value in FIELDS]
    found.append({"field": "age_band", "operator": "in", "value": ["25-34"]})
    if leaves == 1:
        return {"all": found[:1]}
    return {"all": [{"any": found} for _ in range(leaves // len(found))]}


def fill(database, customers: int) -> None:
    """Customers of all sorts."""
    rng = np.random.default_rng(1)
    at = datetime.now(UTC) - timedelta(days=1)
    orders = rng.poisson(3, customers)
    rows = {
        "id": np.arange(1, customers + 1),
        "split_bucket": rng.integers(0, 10_000, customers),
        "orders": orders,
        "spend_minor": orders * rng.integers(500, 9_000, customers),
        "visits": rng.poisson(5, customers),
        "engagement": rng.uniform(0, 100, customers).round(1),
        "age_band": rng.choice(["19-24", "25-34", "35-44"], customers),
        "search_text": "",
        "version": 1,
        "created_at": at,
        "updated_at": at,
    }
    rows |= {f"consent_{channel}": True for channel in Channel}
    with database.writing() as session:
        bulk.insert(session, Customer.__table__, pd.DataFrame(rows))


def _page():
    import streamlit as st

    from ma.settings import ROOT

    others = [
        path for path in sorted((ROOT / "pages").glob("*.py")) if path.stem not in ("segments", "login")
    ]
    pages = [st.Page(ROOT / "pages" / "segments.py", default=True), *map(st.Page, others)]
    st.navigation(pages, position="hidden").run()


def clicks(segment_id: int, number: int) -> float:
    """The median processor seconds of a changed number."""
    test = AppTest.from_function(_page, default_timeout=120)
    test.query_params["id"], test.query_params["edit"] = str(segment_id), "yes"
    test.run()
    took = []
    for turn in range(number):
        test.number_input[0].set_value(4 + turn)
        began = time.process_time()
        test.run()
        took.append(time.process_time() - began)
        assert not test.exception
    return statistics.median(took)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--customers", type=int, default=20_000)
    options.add_argument("--clicks", type=int, default=15)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'ma.db'}"
        database = connect(url)
        migrate.upgrade(database)
        at = clock.now()
        with database.writing() as session:
            create_workspace(session, SYSTEM, name="Bench", timezone="Europe/Berlin", currency="EUR", at=at)
            auth.create_user(
                session,
                SYSTEM,
                username="m",
                name="M",
                role=Role.MARKETER,
                password="green tea at four",
                at=at,
            )
            one = create_segment(session, SYSTEM, name="One", rule=rule(1), at=at)
            forty = create_segment(session, SYSTEM, name="Forty", rule=rule(40), at=at)
            account = auth.find_account(session, "m")
            ticket = auth.issue_ticket(session, account.user_id, at=at)
            token = auth.redeem_ticket(session, ticket, at=at)
        fill(database, chosen.customers)
        ui_session.database, ui_session.token = (lambda: database), (lambda: token)
        clicks(one, 2)
        plain = clicks(forty, chosen.clicks)
        quick_widgets.install()
        small, large = clicks(one, chosen.clicks), clicks(forty, chosen.clicks)
        print(f"one rule:  {small * 1000:6.0f} ms a change")
        print(f"40 rules:  {large * 1000:6.0f} ms a change, {large / small:.1f} x one rule")
        print(f"40 rules without ui.quick_widgets: {plain * 1000:.0f} ms, {plain / large:.1f} x")
        print(f"at most {LONGEST * 1000:.0f} ms: {'yes' if large <= LONGEST else 'NO'}")
        database.close()


if __name__ == "__main__":
    main()
