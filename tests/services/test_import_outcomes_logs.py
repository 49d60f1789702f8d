"""Random logs of campaigns, against an account kept by hand, and export after export against the last one."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import func, select

from ma.files.reading import Sheet
from ma.models import Campaign, CampaignResult, Customer, Outcome
from tests.services.import_world import bring_in, sheet, take_back
from tests.services.outcome_world import STEPS, outcomes, ten_people, utc


@pytest.fixture
def people(database):
    return ten_people(database)


def history(seed, people=10):
    """A random log: what each of some people did with two campaigns, with repetitions, in order of time."""
    rng = np.random.default_rng(seed)
    rows = []
    for name in ("One", "Two"):
        for person in rng.permutation(people)[: rng.integers(1, people + 1)]:
            at = pd.Timestamp("2026-02-01 10:00") + pd.Timedelta(minutes=int(rng.integers(0, 300)))
            rows.append((name, f"C{person + 1}", "sent", at, None))
            for step in STEPS[1:]:
                for _ in range(rng.choice([0, 0, 1, 2])):
                    when = at + pd.Timedelta(seconds=int(rng.integers(1, 9 * 86_400)))
                    amount = round(float(rng.uniform(1, 50)), 2) if step == "converted" else None
                    rows.append((name, f"C{person + 1}", step, when, amount))
    frame = pd.DataFrame(rows, columns=["campaign", "external_id", "step", "at", "revenue"])
    return frame.sort_values("at", kind="stable", ignore_index=True)


def as_sheet(frame) -> Sheet:
    cells = frame.astype({"at": str}) if "at" in frame else frame
    return sheet({name: [None if pd.isna(v) else str(v) for v in cells[name]] for name in cells})


def expected(log):
    """By hand, person by person: the first of each step in the window, nested, without bounces of messages
    that arrived."""
    found = {}
    for (campaign, person), mine in log.groupby(["campaign", "external_id"]):
        first = mine.groupby("step")["at"].min().to_dict()
        sent = first["sent"]
        if {"delivered", "opened", "clicked"} & first.keys():
            first.pop("bounced", None)
        orders = mine[(mine["step"] == "converted") & (mine["at"] <= sent + pd.Timedelta(days=7))]
        first["converted"] = orders["at"].min() if len(orders) else pd.NaT
        later = pd.NaT
        for step in ("converted", "clicked", "opened", "delivered"):
            times = [t for t in (first.get(step, pd.NaT), later) if not pd.isna(t)]
            first[step] = later = min(times) if times else pd.NaT
        money = sum(round(value * 100) for value in orders["revenue"])
        times = {step: first.get(step, pd.NaT) for step in STEPS}
        found[campaign, person] = [utc(t) if not pd.isna(t) else None for t in times.values()] + [money]
    return found


def really(database):
    with database.reading() as session:
        table = Outcome.__table__
        columns = [table.c[f"{step}_at"] for step in STEPS]
        query = (
            select(Campaign.name, Customer.external_id, *columns, table.c.revenue_minor)
            .join(Campaign, Campaign.id == table.c.campaign_id)
            .join(Customer, Customer.id == table.c.customer_id)
        )
        return {
            (row[0], row[1]): [pd.Timestamp(t) if t else None for t in row[2:-1]] + [row[-1]]
            for row in session.execute(query)
        }


@pytest.mark.parametrize("seed", range(3))
def test_a_random_log_gives_what_an_account_by_hand_gives(people, seed):
    log = history(seed)
    bring_in(
        people, "outcomes", as_sheet(log.sample(frac=1, random_state=seed)), "external_id", channel="email"
    )
    assert really(people) == expected(log)
    for name in log["campaign"].unique():
        outcomes(people, name)  # its results are what its outcomes say


@pytest.mark.parametrize("seed", range(3))
def test_growing_exports_end_where_the_last_one_alone_does(people, seed):
    """First the sendings, then the first half of all that happened, then all of it."""
    log = history(seed)
    # A message that bounces after an export said so cannot be delivered in the next.
    log = log[log["step"] != "bounced"].reset_index(drop=True)
    runs = []
    for part in (log[log["step"] == "sent"], log.iloc[: len(log) // 2], log):
        part = pd.concat([log[log["step"] == "sent"], part]).drop_duplicates()
        runs.append(bring_in(people, "outcomes", as_sheet(part), "external_id", channel="email").import_id)
    grown = really(people)
    assert {key: row[0] for key, row in grown.items()} == {key: row[0] for key, row in expected(log).items()}
    for name in log["campaign"].unique():
        found = outcomes(people, name)
        steps = ["sent_at", "delivered_at", "opened_at", "clicked_at", "converted_at"]
        for earlier, later in pairwise(steps):
            taken = found[found[later].notna()]
            assert (taken[earlier] <= taken[later]).all()
    for run in [run for run in runs[::-1] if run]:
        take_back(people, run)
    assert really(people) == {}
    with people.reading() as session:
        assert session.scalar(select(func.count()).select_from(CampaignResult)) == 0
