"""Journeys read by SQL against a plain reading of the same rows, person by person, on both engines."""

import random
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from sqlalchemy import insert

from ma.analytics.attribution import attribution
from ma.analytics.credit import credit
from ma.analytics.frames import frame
from ma.analytics.journeys import NO_MESSAGE, journeys, kinds_of_conversion, question, read_journeys
from ma.db import powers
from ma.errors import InvalidInput, InvalidPeriod
from ma.models import Campaign, Customer, Outcome, Purchase, Workspace
from ma.services.results import rebuild_results
from ma.types import Channel

ZONE = "America/New_York"
# Summer time begins on 8 March: days of the period differ in length.
START, END = date(2026, 2, 20), date(2026, 3, 20)
NOW = datetime(2026, 3, 25, 12, tzinfo=UTC)
BEGAN = datetime(2026, 1, 20, 12, tzinfo=UTC)
SENDS = {
    1: ("Letter", "email", "sent,delivered,opened,clicked,converted,bounced"),
    2: ("Blind letter", "email", "sent,clicked,converted,bounced"),
    3: ("Text", "sms", "sent,delivered,clicked,converted"),
    4: ("Card", "direct_mail", "sent,converted"),
    5: ("Ad", "ads", "sent,clicked,converted"),
    6: ("Note", "push", "sent,delivered,opened,converted"),
    7: ("Second card", "direct_mail", "sent,converted"),
}
STEPS = ("bounced_at", "delivered_at", "opened_at", "clicked_at", "converted_at")


def local(day):
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(ZONE))


def fill(database, *, people, outcomes, purchases):
    stamps = {"created_at": BEGAN, "updated_at": BEGAN}
    usual = {"status": "running", "source": "imported", "conversion_window_days": 30, "created_by": "test"}
    with database.writing() as session:
        session.add(Workspace(id=1, name="Shop", timezone=ZONE, currency="USD", created_at=BEGAN))
        session.execute(
            insert(Customer),
            [{"id": n, "search_text": "", "split_bucket": n, **stamps} for n in range(1, people + 1)],
        )
        for number, (name, channel, steps) in SENDS.items():
            session.add(
                Campaign(
                    id=number, name=name, name_folded=name.lower(), channel=channel, steps=steps,
                    launched_at=BEGAN, **usual, **stamps,
                )
            )  # fmt: skip
        session.flush()
        if outcomes:
            session.execute(insert(Outcome), outcomes)
        if purchases:
            session.execute(insert(Purchase), purchases)
        for number in sorted({row["campaign_id"] for row in outcomes}):
            rebuild_results(session, number)


def outcome(campaign_id, customer_id, sent_at, *, arm="treated", revenue=0, **times):
    return {
        "campaign_id": campaign_id,
        "customer_id": customer_id,
        "arm": arm,
        "variant": "A",
        "wave": 1,
        "source": "imported",
        "assigned_at": BEGAN,
        "sent_at": sent_at,
        "revenue_minor": revenue,
        **{step: times.get(step) for step in STEPS},
    }


def purchase(number, customer_id, at, amount=1000, kind="sale"):
    return {"id": number, "customer_id": customer_id, "at": at, "amount_minor": amount, "kind": kind}


def moment(chance, first=BEGAN, days=70):
    return first + timedelta(hours=6 * chance.randrange(4 * days))


def random_outcome(chance, campaign, person):
    if chance.random() < 0.1:
        held = moment(chance) if chance.random() < 0.5 else None
        return outcome(campaign, person, None, arm="holdout", converted_at=held)
    if chance.random() < 0.05:
        return outcome(campaign, person, None)
    sent, steps, times = moment(chance), SENDS[campaign][2], {}
    at = sent
    for step in ("delivered", "opened", "clicked"):
        # A step may be skipped, and later ones lie in the future, too.
        if step in steps and chance.random() < 0.7:
            at = at + timedelta(hours=6 * chance.choice([0, 0, 1, 2, 8, 40, 150]))
            times[f"{step}_at"] = at
    if "bounced" in steps and not times and chance.random() < 0.5:
        times["bounced_at"] = sent
    if chance.random() < 0.4:
        times["converted_at"] = moment(chance, sent, 40)
    return outcome(campaign, person, sent, revenue=chance.randrange(5000), **times)


def random_rows(seed, people=60):
    """Rows on a grid of six hours: messages at one instant, and exactly a window apart, are common."""
    chance = random.Random(seed)
    outcomes = [
        random_outcome(chance, campaign, person)
        for person in range(1, people + 1)
        for campaign in SENDS
        if chance.random() < 0.85
    ]
    purchases = []
    for number in range(1, 2 * people):
        kind = "refund" if chance.random() < 0.15 else "sale"
        buyer = chance.randint(1, people) if chance.random() < 0.95 else None
        amount = chance.randrange(1, 9000) * (-1 if kind == "refund" else 1)
        purchases.append(purchase(number, buyer, moment(chance), amount, kind))
    return {"people": people, "outcomes": outcomes, "purchases": purchases}


class Plain:
    """The same question answered row by row."""

    def __init__(self, rows, asked):
        self.asked = asked
        self.window = timedelta(days=asked.window_days)
        self.sent = [
            row
            for row in rows["outcomes"]
            if row["arm"] == "treated" and row["sent_at"] and row["sent_at"] <= NOW
        ]
        if asked.conversion == "purchases":
            done = [
                (row["customer_id"], row["id"], row["at"], row["amount_minor"])
                for row in rows["purchases"]
                if row["kind"] == "sale"
            ]
        else:
            done = [
                (row["customer_id"], row["campaign_id"], row["converted_at"], row["revenue_minor"])
                for row in rows["outcomes"]
                if row["arm"] == "treated" and row["converted_at"]
            ]
        self.done = [one for one in done if one[2] <= NOW]
        self.low, self.high = local(asked.start), local(asked.end)
        self.inside = [one for one in self.done if self.low <= one[2] < self.high]

    def key(self, row):
        if self.asked.level == "campaign":
            return row["campaign_id"]
        return list(Channel).index(SENDS[row["campaign_id"]][1])

    def touched_at(self, row, moment):
        """The last of what makes this message a touch that had happened by a moment."""
        _, channel, steps = SENDS[row["campaign_id"]]
        times = [row["clicked_at"], row["opened_at"]]
        unseen = "opened" not in steps and channel != "ads"
        if self.asked.touch == "delivery" or unseen:
            arrived = row["sent_at"] if row["bounced_at"] is None else None
            times.append(row["delivered_at"] if "delivered" in steps else arrived)
        return next((at for at in times if at is not None and at <= moment), None)

    def touches(self, one):
        person, _, at, _ = one
        found = [
            (self.touched_at(row, at), row["campaign_id"], row)
            for row in self.sent
            if row["customer_id"] == person and row["sent_at"] <= at
        ]
        return sorted(
            [(t, c, row) for t, c, row in found if t is not None and t >= at - self.window],
            key=lambda touch: touch[:2],
        )

    def converted(self):
        """{path: [(days, revenue), ...]} and {key: [decayed conversions, decayed revenue]}."""
        paths, decayed = defaultdict(list), defaultdict(lambda: [0.0, 0.0])
        for one in self.inside:
            touches = self.touches(one)
            if not touches:
                continue
            path = ",".join(str(self.key(row)) for *_, row in touches)
            paths[path].append(((one[2] - touches[0][0]).days, one[3]))
            half_life = timedelta(days=self.asked.half_life_days)
            weights = [0.5 ** ((one[2] - t) / half_life) for t, *_ in touches]
            for weight, (*_, row) in zip(weights, touches, strict=True):
                decayed[self.key(row)][0] += weight / sum(weights)
                decayed[self.key(row)][1] += weight / sum(weights) * one[3]
        return dict(paths), dict(decayed)

    def unconverted(self):
        used = {id(row) for one in self.done for *_, row in self.touches(one)}
        by_person = defaultdict(list)
        for row in self.sent:
            at = self.touched_at(row, self.high - timedelta(microseconds=1))
            if at is not None and at >= self.low and id(row) not in used:
                by_person[row["customer_id"]].append((at, row["campaign_id"], self.key(row)))
        paths = Counter()
        for touches in by_person.values():
            touches.sort()
            journey = [touches[0]]
            for touch in touches[1:]:
                if touch[0] - journey[-1][0] > self.window:
                    paths[",".join(str(key) for *_, key in journey)] += 1
                    journey = []
                journey.append(touch)
            paths[",".join(str(key) for *_, key in journey)] += 1
        return dict(paths)


def test_sql_reads_the_journeys_that_a_plain_reading_finds(database):
    rows = random_rows(1)
    fill(database, **rows)
    kinds = product(("channel", "campaign"), ("purchases", "campaigns"), ("response", "delivery"), (3, 25))
    long = 0
    for level, conversion, touch, window in kinds:
        with database.reading() as session:
            asked = question(
                session,
                as_of=NOW,
                start=START,
                end=END,
                level=level,
                conversion=conversion,
                touch=touch,
                window_days=window,
                half_life_days=5,
            )
            found = read_journeys(session, asked, as_of=NOW)
        plain = Plain(rows, asked)
        paths, decayed = plain.converted()
        assert found.conversions == len(plain.inside)
        assert found.revenue_minor == sum(one[3] for one in plain.inside)
        expected = Counter((path, days) for path, rows_ in paths.items() for days, _ in rows_)
        read = found.converted.set_index(["path", "days"])
        assert read["conversions"].to_dict() == expected
        assert found.converted.groupby("path")["revenue_minor"].sum().to_dict() == {
            path: sum(revenue for _, revenue in ends) for path, ends in paths.items()
        }
        assert found.unconverted.set_index("path")["journeys"].to_dict() == plain.unconverted()
        decay = found.decayed.set_index("key")
        assert set(decay.index) == set(decayed)
        for key, (conversions, revenue) in decayed.items():
            assert decay.loc[key, "conversions"] == pytest.approx(conversions, abs=1e-9)
            assert decay.loc[key, "revenue_minor"] == pytest.approx(revenue, abs=1e-6)
        long += sum(path.count(",") >= 2 for path in paths)
    # The random rows are rich enough to tell.
    assert long > 20


def test_a_journey_by_hand(database):
    """A card on the 1st, an e-mail opened on the 8th, a purchase on the 15th at the hours they were sent."""
    day = datetime(2026, 3, 1, 15, tzinfo=UTC)
    week = timedelta(days=7)
    fill(
        database,
        people=3,
        outcomes=[
            outcome(4, 1, day),
            outcome(1, 1, day, delivered_at=day, opened_at=day + week, clicked_at=day + 3 * week),
            outcome(3, 1, day, arm="holdout"),
            outcome(4, 2, day),
        ],
        purchases=[purchase(1, 1, day + 2 * week, 3001), purchase(2, 3, day, 500)],
    )
    with database.reading() as session:
        asked = {"as_of": NOW, "start": START, "end": END}
        table = journeys(session, **asked)
        credited = attribution(session, **asked, models="time_decay,last_touch").set_index(["model", "name"])
    assert table.to_dict("records")[0] == {
        "path": "Direct mail → E-mail",
        "touches": 2,
        "conversions": 1,
        "revenue_minor": 3001,
        "share": 1.0,
        "median_days": 14.0,
        "unconverted": 0,
    }
    assert table.loc[1, ["path", "conversions", "unconverted"]].tolist() == ["Direct mail", 0, 1]
    assert table.loc[2, ["path", "conversions", "revenue_minor"]].tolist() == [NO_MESSAGE, 1, 500]
    # Two weeks and one week old at a half-life of one week: 1/4 to 1/2.
    assert credited.loc[("time_decay", "Direct mail"), ["conversions", "revenue_minor"]].tolist() == [
        0.33,
        1000,
    ]
    assert credited.loc[("time_decay", "E-mail"), ["conversions", "revenue_minor"]].tolist() == [0.67, 2001]
    assert credited.loc[("last_touch", "E-mail"), "share"] == 1.0


def test_credit_of_channels_is_that_of_their_campaigns(database):
    """Repeats are kept in paths, so the rules divide alike on both levels."""
    fill(database, **random_rows(3, 20))
    usual = {"start": START, "end": END, "touch": "delivery"}
    with database.reading() as session:
        levels = [
            read_journeys(session, question(session, as_of=NOW, level=level, **usual), as_of=NOW)
            for level in ("channel", "campaign")
        ]
    for model in ("last_touch", "first_touch", "linear", "time_decay", "position_based"):
        sums = [
            credit(found, model).groupby(found.keys["channel"].to_numpy())["revenue_minor"].sum()
            for found in levels
        ]
        pd.testing.assert_series_equal(*sums)


def test_only_the_messages_of_chosen_campaigns_are_touches(database):
    fill(database, **random_rows(4, 20))
    with database.reading() as session:
        table = attribution(
            session, as_of=NOW, start=START, end=END, level="campaign", touch="delivery", campaign_ids=[3, 4]
        )
        recorded = question(
            session, as_of=NOW, start=START, end=END, conversion="campaigns", campaign_ids=[4]
        )
        theirs = read_journeys(session, recorded, as_of=NOW)
    assert set(table["name"]) == {"Text", "Card"}
    assert set(theirs.keys["name"]) == {"Direct mail"}


def test_both_engines_take_their_powers_from_somewhere(sqlite_url):
    """A SQLite built without mathematical functions gets a power of ours: the same journeys."""
    from ma.db.engine import connect

    database = connect(sqlite_url)
    fill(database, **random_rows(5, 20))
    with database.reading() as session:
        asked = question(session, as_of=NOW, start=START, end=END, touch="delivery")
        own = read_journeys(session, asked, as_of=NOW).decayed
        calls = []
        connection = session.connection()
        powers.teach(connection)
        connection.connection.driver_connection.create_function(
            "power", 2, lambda base, x: calls.append(x) or base**x, deterministic=True
        )
        ours = read_journeys(session, asked, as_of=NOW).decayed
    database.close()
    assert calls
    pd.testing.assert_frame_equal(own, ours)


def test_a_late_click_on_an_old_message_is_a_touch(database):
    """A letter of 20 January opened at once, and clicked on 10 March: two days before an order."""
    at = datetime(2026, 3, 10, 9, tzinfo=UTC)
    letter = outcome(1, 1, BEGAN, delivered_at=BEGAN, opened_at=BEGAN, clicked_at=at)
    order = purchase(1, 1, at + timedelta(days=2))
    fill(database, people=2, outcomes=[letter, outcome(4, 2, BEGAN)], purchases=[order])
    with database.reading() as session:
        [row] = journeys(session, as_of=NOW, start=START, end=END, window_days=2).to_dict("records")
    assert (row["path"], row["conversions"], row["median_days"]) == ("E-mail", 1, 2)


def test_days_begin_at_midnight_in_the_workspace(database):
    """The first instant of the period counts, that of the day after it does not."""
    orders = [purchase(1, 1, local(START), 10), purchase(2, 1, local(END), 20)]
    fill(database, people=1, outcomes=[], purchases=orders)
    with database.reading() as session:
        [row] = journeys(session, as_of=NOW, start=START, end=END).to_dict("records")
        [at_last] = journeys(session, as_of=local(END), start=START, end=date(2026, 4, 1)).to_dict("records")
    assert (row["conversions"], row["revenue_minor"]) == (1, 10)
    assert (at_last["conversions"], at_last["revenue_minor"]) == (2, 30)


def test_without_anything_there_is_nothing(database):
    fill(database, people=1, outcomes=[], purchases=[])
    with database.reading() as session:
        assert kinds_of_conversion(session) == []
        for level, conversion in product(("channel", "campaign"), ("purchases", "campaigns")):
            usual = {"as_of": NOW, "level": level, "conversion": conversion}
            assert journeys(session, **usual).empty
            table = attribution(session, **usual)
            assert table.empty
            assert {"model", "name", "conversions", "share"} <= set(table)


def test_conversions_without_a_message_are_told_apart(database):
    fill(database, people=1, outcomes=[], purchases=[purchase(1, 1, NOW), purchase(2, None, NOW, 250)])
    with database.reading() as session:
        assert kinds_of_conversion(session) == ["purchases"]
        [row] = journeys(session, as_of=NOW).to_dict("records")
        assert attribution(session, as_of=NOW).empty
    assert (row["path"], row["conversions"], row["revenue_minor"]) == (NO_MESSAGE, 2, 1250)


def test_the_last_90_days_are_the_usual_period(database):
    fill(database, people=1, outcomes=[], purchases=[])
    with database.reading() as session:
        asked = question(session, as_of=datetime(2026, 3, 25, 2, tzinfo=UTC))
    # In New York it is still the 24th.
    assert (asked.end, asked.end - asked.start) == (date(2026, 3, 25), timedelta(days=90))


def test_what_cannot_be_asked_is_refused_with_the_remedy(database):
    fill(database, people=1, outcomes=[], purchases=[])
    with database.reading() as session:
        with pytest.raises(InvalidPeriod):
            journeys(session, as_of=NOW, start=END, end=START)
        for wrong in ({"level": "person"}, {"touch": "x"}, {"conversion": ""}, {"window_days": 0}):
            with pytest.raises(InvalidInput) as refused:
                journeys(session, as_of=NOW, **wrong)
            assert set(refused.value.problems) == set(wrong)
        with pytest.raises(InvalidInput, match="1 to 365"):
            attribution(session, as_of=NOW, half_life_days=366)
        with pytest.raises(InvalidInput, match="last_touch"):
            attribution(session, as_of=NOW, models="lasttouch")


def test_both_frames_are_exported_with_the_parameters_of_their_address(database):
    fill(database, **random_rows(6, 20))
    params = {"start": str(START), "end": str(END), "level": "campaign", "window_days": "14"}
    with database.reading() as session:
        table = frame(session, "journeys", as_of=NOW, params=params)
        typed = journeys(session, as_of=NOW, start=START, end=END, level="campaign", window_days=14)
        credited = frame(session, "attribution", as_of=NOW, params=params | {"models": "linear,markov"})
    pd.testing.assert_frame_equal(table, typed)
    assert list(credited["model"].unique()) == ["linear", "markov"]
