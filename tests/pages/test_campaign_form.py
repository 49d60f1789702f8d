"""The form of a campaign: every field is saved, every problem told at its field, nothing typed is lost."""

from datetime import time, timedelta

import pandas as pd
import pytest
from sqlalchemy import func, select

from ma import clock
from ma.analytics.campaigns import campaign as read_campaign
from ma.models import Campaign
from ma.services.campaign_fields import DEFAULTS
from ma.services.campaigns import create_campaign, update_campaign
from ma.services.customers import import_customers
from ma.services.launches import launch_campaign
from ma.services.segments import create_segment, refresh_segment
from ma.types import SYSTEM, Channel
from tests.pages.test_campaign_screens import NASTY, labels, words

AGREED = {"field": "consent_email", "operator": "eq", "value": True}
OLD = {"field": "city", "operator": "eq", "value": "Bonn"}
MINIMAL = {"name": "Letter", "channel": "email", "segment_id": 1, "subject": "Hi", "body": "Hello"}


@pytest.fixture
def world(workbench):
    """200 people, 50 of them in Bonn, 20 without consent; segments 1 (all) and 2 (Bonn), both counted."""
    at = clock.now() - timedelta(days=1)
    frame = pd.DataFrame(
        {
            "first_name": [NASTY, *[f"Ada{n}" for n in range(1, 200)]],
            "email": [f"ada{n}@example.com" for n in range(200)],
            "city": ["Bonn" if n < 50 else "" for n in range(200)],
            "consent_email": [n >= 20 for n in range(200)],
        }
    )
    with workbench.writing() as session:
        import_customers(session, SYSTEM, frame, source="test", at=at)
        every = {"field": "orders", "operator": "gte", "value": 0}
        for name, rule in (("Everybody", every), ("Bonn", OLD)):
            refresh_segment(
                session, SYSTEM, create_segment(session, SYSTEM, name=name, rule=rule, at=at), at=at
            )
    return workbench


def field(test, kind, label, number=0):
    """The widget with this label."""
    return [widget for widget in getattr(test, kind) if widget.label == label][number]


def card(test, label):
    return next(metric.value for metric in test.metric if metric.label == label)


def save(test):
    return test.button(key="save-draft").click().run()


def saved(world, campaign_id=1):
    with world.reading() as session:
        return read_campaign(session, campaign_id)


def test_every_field_is_saved_as_it_was_typed(world, act_as, screen):
    act_as("marketer")
    test = screen("campaigns", id="new")
    field(test, "text_input", "Name").set_value("Spring")
    field(test, "text_input", "Objective").set_value("Wake them up")
    field(test, "selectbox", "Segment").set_value(1)
    field(test, "multiselect", "Leave out").set_value([2])
    field(test, "text_input", "Subject").set_value("Hi {{ first_name }}")
    field(test, "text_area", "Message").set_value("Spring is here.")
    field(test, "number_input", "Opens (%)").set_value(10.0)
    field(test, "number_input", "Waves (days)").set_value(3)
    field(test, "selectbox", "Time zone").set_value("Asia/Tokyo")
    field(test, "toggle", "Quiet hours").set_value(True)
    field(test, "number_input", "Cost per thousand (€)").set_value(12.34)
    field(test, "number_input", "Fixed cost (€)").set_value(5.0)
    field(test, "number_input", "Budget (€)").set_value(100.0)
    field(test, "number_input", "Holdout (%)").set_value(12.5)
    field(test, "number_input", "Conversion window (days)").set_value(9)
    test.button[[b.label for b in test.button].index("Add variant")].click().run()
    field(test, "time_input", "From").set_value(time(22, 15))
    field(test, "text_input", "Subject", 1).set_value("Hello")
    field(test, "number_input", "Share (%)").set_value(30.0)
    test.run()
    assert card(test, "In the segment") == "200"
    save(test)
    assert not test.exception
    assert not test.error
    row = saved(world)
    assert {name: row[name] for name in DEFAULTS} == {
        "name": "Spring",
        "objective": "Wake them up",
        "channel": "email",
        "segment_id": 1,
        "excluded": [2],
        "subject": "Hi {{ first_name }}",
        "body": "Spring is here.",
        "effects": {"opened": 0.1},
        "variants": [
            {
                "name": "B",
                "share": 0.3,
                "subject": "Hello",
                "body": "Spring is here.",
                "effects": {"opened": 0.1},
            }
        ],
        "timezone": "Asia/Tokyo",
        "quiet_from": 22 * 60 + 15,
        "quiet_until": 8 * 60,
        "cost_per_thousand_minor": 1234,
        "fixed_cost_minor": 500,
        "budget_minor": 10_000,
        "conversion_window_days": 9,
        "holdout_share": 0.125,
        "waves": 3,
    }
    # Opened again it shows what was saved: nothing is left to save.
    again = screen("campaigns", id="1")
    assert not again.button(key="launch").disabled
    save(again)
    assert saved(world)["version"] == 1


def test_everything_wrong_at_once_is_told_at_its_field_and_nothing_typed_is_lost(world, act_as, screen):
    act_as("marketer")
    test = screen("campaigns", id="new")
    field(test, "multiselect", "Leave out").set_value([])
    field(test, "text_input", "Subject").set_value("Hi {{ first_nam }}")
    field(test, "toggle", "Quiet hours").set_value(True)
    field(test, "number_input", "Cost per thousand (€)").set_value(None)
    field(test, "number_input", "Budget (€)").set_value(10.0)
    test.button[[b.label for b in test.button].index("Add variant")].click().run()
    field(test, "number_input", "Share (%)").set_value(99.0)
    field(test, "text_area", "Message", 1).set_value("{{ oops")
    field(test, "time_input", "Until").set_value(time(21, 0))
    save(test)
    listed = test.error[0].value
    assert len(test.error) == 1
    for name in (
        "Name",
        "Audience › Segment",
        "Message › Message",
        "Message › Subject",
        "Message › Message of variant B",
        "Delivery › Quiet hours",
        "Cost and test › Budget",
    ):
        assert f"{name}: ".replace("(", r"\(") in listed.replace("\\", ""), name
    at_fields = [text.value for text in test.markdown if ":material/error:" in text.value]
    assert len(at_fields) == listed.count("\n") == 8
    assert field(test, "text_input", "Subject").value == "Hi {{ first_nam }}"
    assert field(test, "number_input", "Share (%)").value == 99.0
    assert field(test, "text_area", "Message", 1).value == "{{ oops"
    with world.reading() as session:
        assert session.scalar(select(func.count(Campaign.id))) == 0
    # What was wrong is told as it is put right.
    field(test, "text_input", "Name").set_value("Spring").run()
    assert "\nName" not in test.error[0].value


def test_shares_that_leave_nothing_for_the_first_variant_are_told(world, act_as, screen):
    act_as("marketer")
    variants = [{"share": share, "subject": "B", "body": "B", "effects": {}} for share in (0.3, 0.3)]
    with world.writing() as session:
        create_campaign(session, SYSTEM, at=clock.now(), **MINIMAL, variants=variants)
    test = screen("campaigns", id="1")
    assert "40 % of the people" in words(test)
    field(test, "number_input", "Share (%)", 1).set_value(70.0).run()
    assert "nobody is left for it" in words(test)
    save(test)
    assert "Variant A gets nobody" in words(test)
    assert card(test, "Would be sent it") == "180"
    test.button[[b.label for b in test.button].index("Remove B")].click().run()
    assert field(test, "number_input", "Share (%)").value == 70.0
    save(test)
    assert [(v["name"], v["share"]) for v in saved(world)["variants"]] == [("B", 0.7)]


def test_the_figures_follow_what_is_typed_before_it_is_saved(world, act_as, screen):
    act_as("marketer")
    with world.writing() as session:
        create_campaign(
            session, SYSTEM, at=clock.now(), **MINIMAL, fixed_cost_minor=0, cost_per_thousand_minor=0
        )
    test = screen("campaigns", id="1")
    assert (card(test, "In the segment"), card(test, "Would be sent it")) == ("200", "180")
    field(test, "multiselect", "Leave out").set_value([2]).run()
    assert card(test, "Would be sent it") == "150"
    field(test, "number_input", "Cost per thousand (€)").set_value(1000.0)
    field(test, "number_input", "Budget (€)").set_value(60.0).run()
    assert "Pays for 60 people." in words(test)
    assert (card(test, "Would be sent it"), card(test, "Expected cost")) == ("60", r"€60\.00")
    assert test.button(key="launch").disabled
    field(test, "pills", "Step").set_value("consent").run()
    assert "20 people: they have not agreed to" in words(test)
    lost = next(frame.value for frame in test.dataframe if "profile" in frame.value)
    assert len(lost) == 10
    assert set(lost["email"]) <= {f"ada{n}@example.com" for n in range(20)}
    assert saved(world)["version"] == 1


def test_readers_see_their_own_message_as_it_is_with_defaults_marked(world, act_as, screen):
    act_as("marketer")
    body = f'{NASTY} {{{{ city | default: "town" }}}}'
    with world.writing() as session:
        create_campaign(
            session, SYSTEM, at=clock.now(), **MINIMAL | {"body": body, "subject": "{{ first_name }}"}
        )
    test = screen("campaigns", id="1")
    shown = [element.value for element in test.markdown]
    read = [text for text in shown if r"\*\*x\*\*" in text]
    assert len(read) >= 5
    assert not any("![i](" in text or "<b>" in text.replace(r"\<", "") for text in shown)
    assert any(":orange-background[town]" in text for text in read) or all("Bonn" in text for text in read)
    before = [text for text in shown if "Ada" in text]
    test.button[[b.label for b in test.button].index("Other people")].click().run()
    assert [element.value for element in test.markdown if "Ada" in element.value] != before


def test_a_personal_field_of_another_tool_is_told_to_be_sent_as_it_stands(world, act_as, screen):
    act_as("marketer")
    with world.writing() as session:
        create_campaign(session, SYSTEM, at=clock.now(), **MINIMAL | {"body": "Hi { first_name }"})
        create_campaign(
            session, SYSTEM, at=clock.now(), **MINIMAL | {"name": "Right", "body": "Hi {{ first_name }}"}
        )
    told = [warning.value.replace("\\", "") for warning in screen("campaigns", id="1").warning]
    assert any("{ first_name } would be sent as it stands" in text for text in told)
    assert not screen("campaigns", id="2").warning


def test_a_text_message_tells_how_many_messages_it_costs(world, act_as, screen):
    act_as("marketer")
    with world.writing() as session:
        rows = pd.DataFrame({"first_name": ["Ann"], "phone": ["+49 170 1234567"], "consent_sms": [True]})
        import_customers(session, SYSTEM, rows, source="test", at=clock.now())
        refresh_segment(session, SYSTEM, 1, at=clock.now())
        create_campaign(
            session, SYSTEM, at=clock.now(), **MINIMAL | {"channel": "sms", "body": "ł" * 71, "subject": ""}
        )
    shown = words(screen("campaigns", id="1"))
    assert "2 text messages" in shown
    assert "71 of 134 characters" in shown
    assert "is not in the alphabet of text messages" in shown


def test_another_channel_brings_its_usual_cost_but_keeps_what_was_typed(world, act_as, screen):
    act_as("marketer")
    test = screen("campaigns", id="new")
    field(test, "text_input", "Subject").set_value("Typed")
    field(test, "segmented_control", "Channel").set_value(Channel.SMS).run()
    assert field(test, "number_input", "Cost per thousand (€)").value == 45.0
    assert not [widget for widget in test.text_input if widget.label == "Subject"]
    field(test, "number_input", "Cost per thousand (€)").set_value(40.0).run()
    field(test, "segmented_control", "Channel").set_value(Channel.EMAIL).run()
    assert field(test, "number_input", "Cost per thousand (€)").value == 40.0
    assert field(test, "text_input", "Subject").value == "Typed"
    assert not test.warning


def test_what_somebody_else_saved_is_not_overwritten(world, act_as, screen):
    act_as("marketer")
    with world.writing() as session:
        create_campaign(session, SYSTEM, at=clock.now(), **MINIMAL)
    test = screen("campaigns", id="1")
    with world.writing() as session:
        update_campaign(session, SYSTEM, 1, version=1, at=clock.now(), name="Theirs")
    field(test, "text_input", "Name").set_value("Mine")
    save(test)
    assert "Somebody else has saved this draft" in words(test)
    assert field(test, "text_input", "Name").value == "Mine"
    assert saved(world)["name"] == "Theirs"
    test.button(key="load-saved").click().run()
    assert field(test, "text_input", "Name").value == "Theirs"


def test_a_draft_that_somebody_launched_meanwhile_is_shown_launched(world, act_as, screen):
    act_as("marketer")
    with world.writing() as session:
        create_campaign(session, SYSTEM, at=clock.now(), **MINIMAL)
    test = screen("campaigns", id="1")
    with world.writing() as session:
        launch_campaign(session, SYSTEM, 1, at=clock.now())
    test.button(key="archive").click().run()
    assert r"is running\. It cannot be archived" in test.error[0].value
    assert {"Pause", "Complete", "Cancel campaign"} <= labels(test)
