"""Real results of campaigns on the import screen, from the file to the way back."""

import pytest
from sqlalchemy import select

from ma.models import Campaign, CampaignAggregate, Customer, Outcome
from tests.pages.test_files import PEOPLE, button, count, figures, finish, upload, words

__all__ = ["upload"]
TOTALS = (
    "Campaign Name,Send Time,Total Recipients,Bounces,Unique Opens,Total Opens,Campaign ID\n"
    "Spring,2024-03-01 10:00,1000,10,396,800,K1\n"
    "Summer,2024-06-01 10:00,1000,10,995,800,K2\n"
)
RESULTS = (
    "E-Mail,Sent,Delivered,Opened,Clicked\n"
    "juergen@example.com,2024-03-01 10:00,2024-03-01 10:01,2024-03-01 11:00,\n"
    "aenne@example.com,2024-03-01 10:00,2024-03-01 10:01,,\n"
)


@pytest.fixture
def customers(upload, workbench):
    finish(button(upload(PEOPLE), "import-check").click().run())
    assert count(workbench, Customer) == 2


def text_input(test, key):
    return next(one for one in test.text_input if one.key.startswith(key))


def test_results_need_a_campaign_and_a_channel_and_come_in(upload, workbench, customers):
    test = upload(RESULTS, "spring.csv")
    assert not test.exception
    kind = next(one for one in test.segmented_control if one.key.startswith("import-kind"))
    assert kind.value == "outcomes"
    test = button(test, "import-check").click().run()
    assert "one campaign for the whole file" in words(test)
    test = text_input(test, "import-campaign").set_value("Spring").run()
    channel = next(one for one in test.selectbox if one.label == "Channel of all rows")
    test = button(channel.select("E-mail").run(), "import-check").click().run()
    assert not test.exception
    assert figures(test) == {"New": "2", "Changed": "0", "Unchanged": "0", "Rejected": "0"}
    assert count(workbench, Campaign) == 0
    test = finish(test)
    assert not test.exception
    assert "They added 1 campaigns" in words(test)
    assert (count(workbench, Campaign), count(workbench, Outcome)) == (1, 2)
    test = button(test, "import-over").click().run()
    undo = next(one for one in test.button if one.label == "Undo")
    test = undo.click().run()
    assert not test.exception
    assert "is taken out again (2 new rows)" in words(test)


def test_a_platforms_totals_are_recognised_and_their_problems_told(upload, workbench):
    test = upload(TOTALS, "klaviyo.csv")
    assert not test.exception
    assert next(o for o in test.segmented_control if o.key.startswith("import-kind")).value == "totals"
    test = button(test, "import-check").click().run()
    assert not test.exception
    assert (figures(test)["New"], figures(test)["Rejected"]) == ("1", "1")
    assert "all opens or clicks, not people" in words(test)
    test = finish(test)
    assert not test.exception
    with workbench.reading() as session:
        assert session.scalars(select(CampaignAggregate.external_id)).all() == ["K1"]


def test_a_campaign_of_which_only_totals_are_known_has_its_page(upload, workbench, screen):
    finish(button(upload(TOTALS, "klaviyo.csv"), "import-check").click().run())
    with workbench.reading() as session:
        campaign_id = session.scalar(select(Campaign.id))
    results = screen("results", by="campaign")
    for test in (screen("campaigns", id=str(campaign_id)), screen("campaigns"), results):
        assert not test.exception
        assert "Spring" in words(test)
