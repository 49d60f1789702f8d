"""Refreshing all segments: order, each once, failures, cancelling, two at once, killed, and other writers."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, func, select, update

from ma import clock
from ma.analytics import refresh_runs as runs
from ma.analytics import segments as analytics
from ma.analytics.segment_uses import in_order
from ma.db.engine import connect
from ma.errors import Conflict, InvalidRule, NotAllowed
from ma.models import Audit, Customer, RefreshRun, Segment, SegmentMember, SegmentRefresh
from ma.services.refresh_runs import begin_run, cancel_run, carry_on, refresh_all
from ma.services.segments import (
    create_segment,
    create_static_segment,
    delete_segment,
    refresh_one,
    refresh_segment,
    update_segment,
)
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Actor, Role
from tests.services.test_segments import add_customers

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=7)
MARKETER, ANALYST = Actor("mia", Role.MARKETER), Actor("ann", Role.ANALYST)
OFTEN = {"field": "orders", "operator": "gte", "value": 10}
BROKEN = {"field": "attribute:99", "operator": "gte", "value": 1}


def build(database, *orders: int) -> None:
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Test", timezone="UTC", currency="USD", at=NOW)
        add_customers(session, *(orders or (3, 10, 25, 0)))


@pytest.fixture
def lite(sqlite_url):
    """A small workspace; the engine does not matter."""
    database = connect(sqlite_url)
    build(database)
    yield database
    database.close()


def make(database, name: str, rule: dict) -> int:
    with database.writing() as session:
        return create_segment(session, MARKETER, name=name, rule=rule, at=NOW)


def replace_rule(database, segment_id: int, rule: dict) -> None:
    """As when what a rule speaks of was deleted behind its back."""
    with database.writing() as session:
        session.execute(update(Segment).where(Segment.id == segment_id).values(rule=rule))


def sizes(database) -> dict[str, int | None]:
    with database.reading() as session:
        return dict(session.execute(select(Segment.name, Segment.size)).all())


def errors(database) -> dict[str, str]:
    with database.reading() as session:
        rows = session.execute(select(Segment.name, Segment.refresh_error)).all()
    return {name: error for name, error in rows if error}


def run_of(database, run_id: int | None = None) -> RefreshRun:
    with database.reading() as session:
        wanted = select(RefreshRun).order_by(RefreshRun.id.desc())
        return session.scalars(wanted if run_id is None else wanted.where(RefreshRun.id == run_id)).first()


def test_each_segment_comes_after_those_its_rule_uses():
    uses = {1: [3], 2: [], 3: [2, 4], 4: [2], 5: [1, 1], 6: [99]}
    rules = {one: {"all": [{"in_segment": other} for other in others]} for one, others in uses.items()}
    order = in_order(rules)
    assert sorted(order) == [1, 2, 3, 4, 5, 6]
    assert all(order.index(other) < order.index(one) for one in uses for other in uses[one] if other in uses)
    # A circle, which only a broken database can hold, is cut and not followed for ever.
    assert sorted(in_order({1: {"in_segment": 2}, 2: {"in_segment": 1}})) == [1, 2]
    chain = {i: {"in_segment": i + 1} for i in range(3000)}
    assert in_order(chain) == list(range(2999, -1, -1))


def test_all_are_refreshed_as_of_one_instant_and_each_rule_is_evaluated_once(database):
    build(database)
    top = make(database, "Top", OFTEN)  # first by id, so that the order by use must turn it round
    base = make(database, "Base", OFTEN)
    with database.writing() as session:
        guests = create_static_segment(session, MARKETER, name="Guests", at=NOW)
        middle = create_segment(session, MARKETER, name="Middle", rule={"not": {"in_segment": base}}, at=NOW)
        both = {"any": [{"in_segment": middle}, {"in_segment": base}, {"in_segment": guests}]}
        update_segment(session, MARKETER, top, version=1, rule=both, at=NOW)
    evaluated = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def watch(_connection, _cursor, statement, *_):
        if statement.startswith("INSERT INTO segment_chosen"):
            evaluated.append(statement)

    told = list(refresh_all(database, MARKETER, at=LATER))
    assert [here.segment_id for here in told] == [base, middle, top, None]
    assert sizes(database) == {"Top": 4, "Base": 2, "Middle": 2, "Guests": 0}
    assert len(evaluated) == 3
    # Of segments that the run has refreshed already, the members are taken and the rule is not asked again.
    assert sum("orders" in statement for statement in evaluated) == 1
    run = run_of(database)
    assert (run.actor, run.as_of, run.segments, run.done, run.failed) == ("mia", LATER, 3, 3, 0)
    assert run.ended_at is not None
    with database.reading() as session:
        assert set(session.scalars(select(SegmentRefresh.as_of))) == {LATER}
        actions = session.scalars(select(Audit.action).where(Audit.noun == "segment")).all()
    assert actions.count("refresh all") == 1
    assert actions.count("refresh") == 3


LOYAL = {"field": "orders", "operator": "gte", "value": 3}


def people(database) -> dict[str, set[int]]:
    with database.reading() as session:
        rows = session.execute(
            select(Segment.name, SegmentMember.customer_id).join(
                SegmentMember, SegmentMember.segment_id == Segment.id
            )
        ).all()
    return {name: {one for other, one in rows if other == name} for name, _ in rows}


def refresh(database, segment_id: int, at: datetime) -> None:
    with database.writing() as session:
        refresh_segment(session, MARKETER, segment_id, at=at)


def order(database, customer_id: int, orders: int) -> None:
    with database.writing() as session:
        session.execute(update(Customer).where(Customer.id == customer_id).values(orders=orders))


@pytest.mark.parametrize("loyal_is_done", [False, True])
def test_a_segment_refreshed_during_a_run_fits_those_whose_rules_use_it(database, loyal_is_done):
    build(database)
    loyal = make(database, "Loyal", LOYAL)
    others = make(database, "Others", {"not": {"in_segment": loyal}})
    refresh(database, loyal, NOW)
    run = refresh_all(database, MARKETER, at=LATER)
    if loyal_is_done:
        next(run)
        order(database, 4, 3)
        refresh(database, loyal, LATER + timedelta(minutes=5))
    else:
        order(database, 4, 3)
        refresh(database, loyal, LATER + timedelta(minutes=5))
    list(run)
    assert people(database) == {"Loyal": {1, 2, 3, 4}}
    with database.reading() as session:
        assert analytics.segment(session, others).refreshed_at == LATER + timedelta(minutes=5)


def test_lists_of_different_instants_are_not_put_together(database):
    build(database)
    loyal = make(database, "Loyal", LOYAL)
    others = make(database, "Others", {"not": {"in_segment": loyal}})
    neither = make(database, "Neither", {"none": [{"in_segment": loyal}, {"in_segment": others}]})
    run = refresh_all(database, MARKETER, at=LATER)
    next(run)
    next(run)
    # Customer 1 leaves “Loyal” and is not yet in “Others”: as they stand, both lists lack them.
    order(database, 1, 0)
    refresh(database, loyal, LATER + timedelta(minutes=5))
    list(run)
    assert people(database) == {"Loyal": {2, 3}, "Others": {4}}
    with database.reading() as session:
        assert analytics.segment(session, neither).size == 0


def test_a_rule_between_two_lists_is_looked_through(database):
    build(database)
    loyal = make(database, "Loyal", LOYAL)
    others = make(database, "Others", LOYAL)
    run = refresh_all(database, MARKETER, at=LATER)
    next(run)
    between = make(database, "Between", {"not": {"in_segment": loyal}})
    replace_rule(database, others, {"in_segment": between})
    order(database, 4, 3)
    refresh(database, loyal, LATER + timedelta(minutes=5))
    list(run)
    assert people(database) == {"Loyal": {1, 2, 3, 4}}


def test_nobody_refreshes_a_list_while_it_is_taken_into_another(postgres_url):
    database = connect(postgres_url)
    build(database)
    loyal = make(database, "Loyal", LOYAL)
    others = make(database, "Others", {"not": {"in_segment": loyal}})
    refresh(database, loyal, LATER)
    rival = threading.Thread(target=refresh, args=(database, loyal, LATER + timedelta(minutes=5)))
    with database.writing() as session:
        refresh_segment(session, MARKETER, others, at=LATER, current=frozenset({loyal}))
        rival.start()
        rival.join(0.5)
        assert rival.is_alive()
    rival.join(10)
    assert not rival.is_alive()
    database.close()


def test_one_that_fails_says_why_and_takes_only_its_dependants_along(lite):
    broken = make(lite, "Broken", OFTEN)
    make(lite, "User", {"in_segment": broken})
    make(lite, "Whole", OFTEN)
    list(refresh_all(lite, MARKETER, at=NOW))
    replace_rule(lite, broken, BROKEN)
    *_, last = refresh_all(lite, MARKETER, at=LATER)
    assert (last.done, last.failed, last.ended) == (1, 2, True)
    assert "attribute:99" in errors(lite)["Broken"]
    assert errors(lite)["User"].startswith("Its rule uses “Broken”, which could not be refreshed.")
    # They keep the people they had.
    assert sizes(lite) == {"Broken": 2, "User": 2, "Whole": 2}
    replace_rule(lite, broken, OFTEN)
    list(refresh_all(lite, MARKETER, at=LATER + timedelta(hours=1)))
    assert errors(lite) == {}


@pytest.mark.parametrize("twice", [False, True])
def test_segments_in_segments_without_end_from_before_there_was_a_limit_say_so(database, twice):
    build(database)
    ids = [make(database, f"S{number}", OFTEN) for number in range(40)]
    for one, used in zip(ids[1:], ids, strict=False):
        uses = [{"in_segment": used}] * (2 if twice else 1)
        replace_rule(database, one, {"any": [OFTEN, *uses]})
    words = "2,000 conditions" if twice else "more than 10 deep"
    with pytest.raises(InvalidRule, match="10 deep"):
        refresh_one(database, MARKETER, ids[-1], at=NOW)
    *_, last = refresh_all(database, MARKETER, at=LATER)
    done = 9 if twice else 11
    assert (last.done, last.failed) == (done, 40 - done)
    first = errors(database)[f"S{done}"]
    assert first.startswith("The rule can no longer be evaluated.")
    assert words in first
    assert "static list" in first
    with database.reading() as session:
        problems = analytics.segments(session, as_of=LATER)["problem"]
    assert problems.notna().sum() == 40 - done


def test_rules_at_the_limit_can_be_evaluated(database):
    build(database)
    base = make(database, "Base", {"field": "age", "operator": "gte", "value": 30})
    for number in range(8):
        twice = [{"in_segment": base}, {"in_segment": base}]
        base = make(database, f"Twice {number}", {"any": twice})
    rule = {"any": [{"in_segment": base}] * 2}
    with database.reading() as session:
        assert analytics.audience(session, rule, as_of=NOW).people == 0
    deep = make(database, "Deep 0", OFTEN)
    for number in range(1, 11):
        deep = make(database, f"Deep {number}", {"all": [OFTEN, {"in_segment": deep}]})
    refresh(database, deep, NOW)
    assert sizes(database)["Deep 10"] == 2


def test_an_error_nobody_foresaw_is_kept_without_what_it_held(lite, monkeypatch):
    make(lite, "One", OFTEN)
    make(lite, "Two", OFTEN)
    from ma.services import refresh_runs

    usual = refresh_runs.refresh_segment

    def stumble(session, actor, segment_id, **rest):
        if segment_id == 1:
            raise RuntimeError("zoe@example.com")
        return usual(session, actor, segment_id, **rest)

    monkeypatch.setattr(refresh_runs, "refresh_segment", stumble)
    *_, last = refresh_all(lite, MARKETER, at=NOW)
    assert (last.done, last.failed) == (1, 1)
    assert "reference" in errors(lite)["One"]
    assert "zoe" not in errors(lite)["One"]


def test_a_refresh_of_one_sets_and_clears_the_error(lite):
    segment_id = make(lite, "One", OFTEN)
    replace_rule(lite, segment_id, BROKEN)
    with pytest.raises(InvalidRule):
        refresh_one(lite, MARKETER, segment_id, at=NOW)
    assert "attribute:99" in errors(lite)["One"]
    replace_rule(lite, segment_id, OFTEN)
    assert refresh_one(lite, MARKETER, segment_id, at=NOW).size == 2
    assert errors(lite) == {}


def test_a_run_ends_between_two_segments_when_it_is_cancelled(lite):
    for name in ("A", "B", "C"):
        make(lite, name, OFTEN)
    run = refresh_all(lite, MARKETER, at=NOW)
    first = next(run)
    with lite.writing() as session:
        with pytest.raises(NotAllowed):
            cancel_run(session, ANALYST, first.run_id, at=NOW)
        assert cancel_run(session, Actor("zoe", Role.MARKETER), first.run_id, at=NOW)
        assert not cancel_run(session, MARKETER, first.run_id, at=NOW)
    [last] = run
    assert (last.done, last.cancelled_by, last.ended) == (1, "zoe", True)
    assert sizes(lite) == {"A": 2, "B": None, "C": None}
    # The next one is not held up, and does all.
    *_, last = refresh_all(lite, MARKETER, at=NOW)
    assert last.done == 3


def test_a_run_that_is_broken_off_ends_and_a_deleted_segment_is_left_out(lite):
    ids = [make(lite, name, OFTEN) for name in ("A", "B", "C")]
    run = refresh_all(lite, MARKETER, at=NOW)
    next(run)
    run.close()
    assert run_of(lite).ended_at is not None
    run = refresh_all(lite, MARKETER, at=NOW)
    next(run)
    with lite.writing() as session:
        delete_segment(session, MARKETER, ids[2], at=NOW)
    *_, last = run
    assert (last.done, last.failed) == (2, 0)


def test_a_second_run_is_told_who_runs_and_a_dead_one_is_ended(lite):
    for name in ("A", "B"):
        make(lite, name, OFTEN)
    silent = refresh_all(lite, MARKETER, at=NOW)
    first = next(silent)
    with pytest.raises(Conflict, match=r"mia is refreshing all segments .*\(1 of 2 are done\)"):
        next(refresh_all(lite, SYSTEM, at=NOW))
    died = clock.now() - runs.DEAD_AFTER - timedelta(seconds=1)
    with lite.writing() as session:
        session.execute(update(RefreshRun).values(beat_at=died))
    *_, last = refresh_all(lite, SYSTEM, at=NOW)
    assert last.done == 2
    assert run_of(lite, first.run_id).ended_at == died
    # Should it wake up again, it sees that it is over.
    [end] = silent
    assert (end.done, end.ended) == (1, True)
    assert run_of(lite, first.run_id).ended_at == died


def test_of_two_that_begin_at_the_same_moment_one_is_refused(database):
    build(database)
    for name in ("A", "B", "C"):
        make(database, name, OFTEN)
    barrier, outcomes = threading.Barrier(4), []

    def begin(name: str) -> None:
        barrier.wait()
        try:
            with database.writing() as session:
                outcomes.append(begin_run(session, Actor(name, Role.MARKETER), at=NOW))
        except Conflict as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=begin, args=(f"p{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(outcome) for outcome in sorted(outcomes, key=str)].count(int) == 1
    assert sum("is refreshing all segments" in str(outcome) for outcome in outcomes) == 3


def test_it_is_due_every_six_hours_and_not_for_ever_after_a_failure(lite):
    def due(hours: float) -> bool:
        with lite.reading() as session:
            return runs.is_due(session, at=NOW + timedelta(hours=hours), now=clock.now())

    assert not due(0)
    segment_id = make(lite, "One", OFTEN)
    assert due(0)
    list(refresh_all(lite, SYSTEM, at=NOW))
    assert not due(5.9)
    assert due(6)
    assert due(24)
    replace_rule(lite, segment_id, BROKEN)
    list(refresh_all(lite, SYSTEM, at=NOW + timedelta(hours=6)))
    assert not due(11)
    assert due(12)
    broken_off = refresh_all(lite, SYSTEM, at=NOW + timedelta(hours=12))
    make(lite, "Two", OFTEN)
    next(broken_off)
    assert not due(12)
    broken_off.close()
    assert due(12)


# A process of its own that is killed just when it has written its n-th list of members.
_KILLED = """
import os, signal, sys
from datetime import datetime
from sqlalchemy import event
from ma.db.engine import connect
from ma.services.refresh_runs import refresh_all
from ma.types import SYSTEM

url, after = sys.argv[1], int(sys.argv[2])
database, seen = connect(url), [0]

@event.listens_for(database.engine, "after_cursor_execute")
def watch(_connection, _cursor, statement, *_):
    if statement.startswith("INSERT INTO") and "segment_member" in statement.split("(")[0]:
        seen[0] += 1
        if seen[0] == after:
            os.kill(os.getpid(), signal.SIGKILL)

at = datetime.fromisoformat("2026-11-22T19:00:00+00:00")
list(refresh_all(database, SYSTEM, at=at))
"""


def killed(database, after: int) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    process = subprocess.run(
        [sys.executable, "-c", _KILLED, url, str(after)],
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        check=False,
        timeout=60,
    )
    assert process.returncode == -signal.SIGKILL


def lists(database) -> dict[str, tuple]:
    """Of each segment its size, its members in fact, and how often it was refreshed."""
    with database.reading() as session:
        return {
            row.name: (
                row.size,
                session.scalar(
                    select(func.count()).select_from(SegmentMember).where(SegmentMember.segment_id == row.id)
                ),
                session.scalar(
                    select(func.count())
                    .select_from(SegmentRefresh)
                    .where(SegmentRefresh.segment_id == row.id)
                ),
            )
            for row in session.execute(select(Segment.id, Segment.name, Segment.size))
        }


def test_a_run_killed_in_the_middle_of_a_refresh_leaves_nothing_half_written(database):
    build(database)
    base = make(database, "Base", OFTEN)
    make(database, "Middle", {"in_segment": base})
    make(database, "Other", {"not": OFTEN})
    killed(database, 2)
    before = lists(database)
    # The first of three is whole, the second is as if it had not begun.
    assert before == {"Base": (2, 2, 1), "Middle": (None, 0, 0), "Other": (None, 0, 0)}
    dead = run_of(database)
    assert (dead.done, dead.ended_at) == (1, None)
    with pytest.raises(Conflict, match="system is refreshing"), database.writing() as session:
        begin_run(session, MARKETER, at=LATER)
    with database.writing() as session:
        session.execute(update(RefreshRun).values(beat_at=clock.now() - timedelta(minutes=3)))
    *_, last = refresh_all(database, MARKETER, at=LATER)
    assert (last.done, last.failed) == (3, 0)
    assert {name: found[:2] for name, found in lists(database).items()} == dict.fromkeys(before, (2, 2))
    assert run_of(database, dead.id).ended_at is not None


def test_a_refresh_beside_other_writers_sees_one_instant(database):
    """At every instant exactly 50 of 100 qualify; the writers hand that on from one to another."""
    build(database, *([10] * 50 + [0] * 50))
    base = make(database, "Base", OFTEN)
    segment_id = make(database, "Both", {"any": [{"in_segment": base}, OFTEN]})
    stop, problems = threading.Event(), []

    def swap(first: int) -> None:
        try:
            ids = list(range(first, 101, 2))
            for turn in range(10_000):
                if stop.is_set():
                    return
                with database.writing() as session:
                    mine = session.execute(
                        select(Customer.id, Customer.orders).where(Customer.id.in_(ids)).order_by(Customer.id)
                    ).all()
                    rich = [one for one, orders in mine if orders == 10]
                    poor = [one for one, orders in mine if orders == 0]
                    pair = rich[turn % len(rich)], poor[turn % len(poor)]
                    session.execute(update(Customer).where(Customer.id == pair[0]).values(orders=0))
                    session.execute(update(Customer).where(Customer.id == pair[1]).values(orders=10))
                stop.wait(0.002)
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=swap, args=(first,)) for first in (1, 2)]
    for thread in threads:
        thread.start()
    try:
        found = []
        # The writers get the lock when they get it: go on until they have changed something in between.
        while len(found) < 12 or not (any(one.entered for one in found[1:]) or len(found) == 1000):
            with database.writing() as session:
                at = NOW + timedelta(minutes=len(found))
                found.append(refresh_segment(session, MARKETER, segment_id, at=at))
            stop.wait(0.005)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert problems == []
    assert {refresh.size for refresh in found} == {50}
    assert sum(refresh.entered for refresh in found[1:]) > 0
    with database.reading() as session:
        assert analytics.member_count(session, as_of=NOW + timedelta(days=2), segment_id=segment_id) == 50


def test_a_run_waits_for_whoever_writes_at_the_moment(lite, monkeypatch):
    from ma.db import engine

    make(lite, "One", OFTEN)
    monkeypatch.setattr(engine, "BUSY_MS", 50)
    impatient = connect(str(lite.engine.url))
    with lite.writing() as session:
        run_id = begin_run(session, MARKETER, at=NOW)
    holding = lite.writing()
    holding.__enter__().execute(select(Segment.id))
    waits = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            holding.__exit__(None, None, None)

    *_, last = carry_on(impatient, MARKETER, run_id, sleep=sleep)
    assert last.done == 1
    assert len(waits) >= 3
    impatient.close()
