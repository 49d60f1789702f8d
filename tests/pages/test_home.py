"""Home in its states: figures with their intervals, pictures, and lines that lead to where one can act."""

import json
from datetime import timedelta

import pandas as pd
import pytest
from sqlalchemy import update

from ma import clock
from ma.models import Segment, Webhook
from ma.services.customers import import_customers
from ma.services.segments import create_segment
from ma.types import SYSTEM
from tests.analytics.result_days import launched

NASTY = "**x** <b>y</b> ![i](http://e.test/i.png) $x$"
EVERYBODY = {"field": "orders", "operator": "gte", "value": 0}


@pytest.fixture
def shop(workbench):
    """Ten customers and three campaigns past their conversion window, one of them with a nasty name."""
    now = clock.now()
    with workbench.writing() as session:
        frame = pd.DataFrame({"email": [f"p{n}@example.com" for n in range(10)]})
        import_customers(session, SYSTEM, frame, source="test", at=now)
        for number, name in enumerate(("Best of all", "Middle", NASTY)):
            counts = {"sent": 1_000, "delivered": 1_000, "opened": 200, "clicked": 30,
                      "converted": 90 - 40 * number, "revenue_minor": 900_000 - 400_000 * number}  # fmt: skip
            launched(session, number + 1, (1, counts), name=name, age_days=40 + number, now=now,
                     channel=("email", "sms", "email")[number], fixed_cost_minor=200_000)  # fmt: skip
    return workbench


def titles(test):
    return [one.value for one in test.markdown if one.value.startswith("**")]


def drawn(test):
    """The charts of the screen by the name of the file they are saved as."""
    found = {}
    for chart in test.get("plotly_chart"):
        options = json.loads(chart.proto.config).get("toImageButtonOptions", {})
        found[options.get("filename", len(found))] = json.loads(chart.proto.spec)
    return found


def test_rates_are_told_with_their_interval(shop, act_as, screen):
    act_as("viewer")
    shown = {card.label: card.value for card in screen("home").metric}
    # 600 of 3,000 opened, 150 converted; Wilson's intervals.
    assert shown["Open rate"] == "20.0 % :small[:gray[(18.6–21.5)]]"
    assert shown["Conversion rate"] == "5.0 % :small[:gray[(4.3–5.8)]]"
    assert shown["ROI"] == "150 %"
    assert shown["Customers"] == "10"


def test_every_picture_can_be_saved_and_has_a_title_by_those_who_may_export(shop, act_as, screen):
    act_as("analyst")
    test = screen("home")
    assert not test.exception
    assert set(drawn(test)) == {"revenue", "channel-mix", "best-worst"}
    for begin in (
        "**Revenue by day**",
        "**Messages sent by channel**",
        "**Best and worst campaigns by profit**",
    ):
        assert any(title.startswith(begin) for title in titles(test)), begin
    addresses = [link.proto.url for link in test.get("link_button")]
    for frame in ("kpis", "trend", "channel_mix", "best_worst", "roi"):
        assert any(address.startswith(f"/export/{frame}.csv") for address in addresses), frame


def test_a_viewer_sees_the_same_without_buttons_that_do_nothing(shop, act_as, screen):
    act_as("viewer")
    test = screen("home")
    assert not test.exception
    assert len(test.get("plotly_chart")) == 3
    assert not test.get("link_button")
    assert not test.code


@pytest.mark.parametrize(
    ("mix", "title"),
    [
        ("sent", "**Messages sent by channel**"),
        ("revenue", "**Attributed revenue by channel**"),
        ("conversion", "**Conversion rate by channel**"),
    ],
)
def test_the_channels_show_what_is_chosen(shop, act_as, screen, mix, title):
    act_as("viewer")
    test = screen("home")
    test.button_group(key="mix").set_value(mix).run()
    assert not test.exception
    assert any(one.startswith(title) for one in titles(test))


def test_campaigns_are_ranked_by_what_is_chosen(shop, act_as, screen):
    act_as("analyst")
    test = screen("home")
    chart = drawn(test.button_group(key="rank_by").set_value("per_recipient").run())["best-worst"]
    assert [row[0] for row in chart["data"][0]["customdata"]] == [1, 2, 3]
    assert chart["data"][0]["customdata"][0][2].startswith("Revenue per recipient €9.00 (95 %: €6.5")
    # A name is text, not formatting.
    assert "<b>y</b>" not in json.dumps(chart["data"][0]["customdata"])
    assert not any("<b>y</b>" in one["text"] for one in chart["layout"]["annotations"])


def test_a_period_without_a_campaign_says_so_and_one_that_is_too_young_too(shop, act_as, screen):
    act_as("viewer")
    test = screen("home")
    said = [caption.value for caption in test.button_group(key="days").set_value("28").run().caption]
    assert said.count("No campaign was launched in this period.") == 2
    with shop.writing() as session:
        launched(session, 9, (0, {"sent": 5}), age_days=2, now=clock.now())
    said = " ".join(caption.value for caption in test.run().caption)
    assert "None of the 1 campaigns launched in this period is past its conversion window" in said


def test_what_needs_attention_leads_to_the_page_and_the_object(shop, act_as, screen):
    at = clock.now()
    with shop.writing() as session:
        segment_id = create_segment(session, SYSTEM, name=NASTY, rule=EVERYBODY, at=at)
        session.execute(update(Segment).values(refreshed_at=at - timedelta(days=9)))
        launched(session, 9, (0, {"sent": 500, "delivered": 400, "bounced": 100}), age_days=2, now=at)
    act_as("viewer")
    links = {link.proto.page: link.proto for link in screen("home").get("page_link")}
    assert links["campaigns"].query_string.lstrip("?") == "id=9"
    assert links["segments"].query_string.lstrip("?") == f"id={segment_id}"
    assert "**x**" not in links["segments"].label


@pytest.mark.parametrize(("role", "linked"), [("admin", True), ("marketer", False)])
def test_a_webhook_that_was_given_up_on_is_told_to_all_and_leads_admins_there(
    shop, act_as, screen, role, linked
):
    with shop.writing() as session:
        values = {"url": "https://e.test/", "salt": "", "secret_hash": "", "created_by": "x"}
        at = clock.now()
        session.add(Webhook(name=NASTY, disabled_why="failing", disabled_at=at, created_at=at, **values))
    act_as(role)
    test = screen("home")
    assert not test.exception
    links = {link.proto.page: link.proto for link in test.get("page_link")}
    assert ("webhooks" in links) is linked
    said = " ".join(caption.value for caption in test.caption)
    assert "nothing could be delivered for three days" in said
    assert "![i]" not in said
