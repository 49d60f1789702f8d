"""A draft's preview is what its launch does: the same steps, the same people; messages as they are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from ma.analytics.campaigns import campaign as read_campaign
from ma.analytics.campaigns import people as read_people
from ma.analytics.roi import roi
from ma.errors import NobodyLeft
from ma.models import Customer
from ma.services import text_messages
from ma.services.campaign_preview import cost_minor, parts, preview
from ma.services.customers import delete_customer
from ma.services.launches import launch_campaign
from ma.services.merge_fields import MERGE_FIELDS, render
from ma.services.segments import create_segment, refresh_segment
from ma.types import SYSTEM, Channel
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, draft

LEFT_OUT = 2


@pytest.fixture
def session(database):
    """400 people: 40 without consent, 20 without a number, 30 in a segment that can be left out."""
    with database.writing() as session:
        world.build(session, 400)
        change(session, range(1, 41), consent_sms=False)
        change(session, range(41, 61), phone=None)
        change(session, range(61, 91), postal_code="53111")
        rule = {"field": "postal_code", "operator": "eq", "value": "53111"}
        assert create_segment(session, SYSTEM, name="Bonn", rule=rule, at=NOW) == LEFT_OUT
        for segment_id in (world.SEGMENT, LEFT_OUT):
            refresh_segment(session, SYSTEM, segment_id, at=NOW)
        yield session


def change(session, ids, **values):
    table = Customer.__table__
    session.execute(update(table).where(table.c.id.in_(list(ids))).values(**values))


def previewed(session, campaign_id):
    return preview(session, read_campaign(session, campaign_id), at=NOW)


SPENDING = {"cost_per_thousand_minor": 1000, "fixed_cost_minor": 50}
B = {"share": 0.4, "subject": "Hi", "body": "Hello", "effects": {}}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"channel": Channel.EMAIL},
        {"holdout_share": 0.3},
        {"excluded": [LEFT_OUT]},
        {"budget_minor": 150, **SPENDING},
        {"waves": 3},
        {"variants": [B]},
        {"holdout_share": 0.2, "excluded": [LEFT_OUT], "waves": 4, "variants": [B], "budget_minor": 200}
        | SPENDING,
    ],
)
def test_a_preview_is_what_a_launch_at_that_moment_does(session, values):
    campaign_id = draft(session, **values)
    found = previewed(session, campaign_id)
    launch = launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    assert [step.to_dict() for step in found.waterfall] == launch.eligibility
    assert (found.sent, found.treated) == (launch.sent, launch.sent + launch.planned)
    outcomes = world.outcomes(session, campaign_id)
    treated = outcomes[outcomes["arm"] == "treated"]
    mine = found.people[found.people["lost"].isna()]
    for name in ("customer_id", "variant", "wave"):
        assert mine[name].tolist() == treated[name].tolist()
    held = outcomes.loc[outcomes["arm"] == "holdout", "customer_id"]
    assert found.people.loc[found.people["lost"] == "holdout", "customer_id"].tolist() == held.tolist()
    assert found.blocked is None


def test_everybody_is_lost_at_one_step_or_sent_it(session):
    values = {"holdout_share": 0.3, "excluded": [LEFT_OUT], "waves": 2, "budget_minor": 120} | SPENDING
    found = previewed(session, draft(session, **values))
    assert found.losses() | {"holdout": 0} == {
        "consent": 40,
        "reachable": 20,
        "not excluded": 30,
        "holdout": 0,
        "within budget": found.waterfall[6].people - 70,
    }
    left = found.audience
    for step in found.waterfall[1:-1]:
        left -= found.losses().get(step.step, 0)
        assert step.people == left
    assert found.treated == left == 70  # (120 - 50) cents at a cent each
    assert sum(found.losses().values()) + found.treated == len(found.people) == 400
    assert set(found.lost_at("consent")) == set(range(1, 41))
    assert len(set(found.lost_at("consent", 10))) == 10


@pytest.mark.parametrize(
    ("values", "spoil"),
    [
        ({"excluded": [LEFT_OUT]}, lambda s: change(s, range(1, 401), postal_code="53111")),
        ({}, lambda s: change(s, range(1, 401), consent_sms=False)),
        ({}, lambda s: change(s, range(1, 401), deleted_at=NOW)),
    ],
)
def test_a_preview_says_what_a_launch_would_be_refused_for(session, values, spoil):
    spoil(session)
    for segment_id in (world.SEGMENT, LEFT_OUT):
        refresh_segment(session, SYSTEM, segment_id, at=NOW)
    campaign_id = draft(session, **values)
    with pytest.raises(NobodyLeft) as refusal:
        launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    assert str(refusal.value).endswith(previewed(session, campaign_id).blocked)


def test_a_draft_that_is_not_saved_and_not_yet_right_has_a_preview_too(session):
    unsaved = read_campaign(session, draft(session)) | {
        "id": None,
        "variants": [B | {"name": "B", "share": 0.7}, B | {"name": "C", "share": 0.6}],
        "budget_minor": 10,
        **SPENDING,
    }
    found = preview(session, unsaved, at=NOW)
    assert found.treated == 0
    assert found.blocked == "The budget pays for nobody. Raise it."


def test_the_cost_is_what_the_campaign_will_have_cost(session):
    campaign_id = draft(session, cost_per_thousand_minor=4567, fixed_cost_minor=123)
    sent = previewed(session, campaign_id).treated
    cost = cost_minor(read_campaign(session, campaign_id), sent)
    launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    assert roi(session, as_of=NOW, campaign_ids=[campaign_id])["cost_minor"].tolist() == [cost]
    assert cost_minor({"cost_per_thousand_minor": None, "fixed_cost_minor": 0}, 5) is None


def test_the_readers_of_all_pages_are_everybody_once(session):
    found = previewed(session, draft(session, holdout_share=0.1))
    pages = [found.readers(number, 7).tolist() for number in range(-(-found.treated // 7))]
    everybody = [customer_id for page in pages for customer_id in page]
    sent = found.people.loc[found.people["lost"].isna(), "customer_id"]
    assert sorted(everybody) == sent.tolist()
    assert found.readers(len(pages), 7).tolist() == pages[0]


def test_people_come_in_the_order_asked_for_without_the_deleted(session):
    delete_customer(session, SYSTEM, 7, version=1, at=NOW)
    frame = read_people(session, [9, 7, 3])
    assert frame["customer_id"].tolist() == [9, 3]
    assert frame["email"].tolist() == ["p9@example.com", "p3@example.com"]
    assert read_people(session, []).empty


TEXTS = st.text(st.sampled_from('ab {}|"\n') | st.characters(codec="utf-8"), max_size=40)
TOKENS = st.builds(
    lambda field, default: (
        "{{ " + field + (f' | default: "{default}"' if default is not None else "") + " }}"
    ),
    st.sampled_from([*MERGE_FIELDS, "no_field"]),
    st.none() | st.sampled_from(["there", "{ x", ""]),
)
MESSAGES = st.lists(TEXTS | TOKENS, max_size=6).map("".join)
PEOPLE = st.dictionaries(st.sampled_from(MERGE_FIELDS), st.none() | st.text(max_size=8))


@given(MESSAGES, PEOPLE)
def test_the_parts_of_a_message_are_the_message(message, person):
    assert "".join(part.text for part in parts(message, person)) == render(message, person)


def test_a_default_is_marked_with_the_field_it_stands_for():
    message = 'Hi {{ first_name | default: "there" }} in {{ city }}, {{ last_name }}{{ nothing }}'
    found = parts(message, {"first_name": "", "city": "Bonn", "last_name": None})
    assert [(part.text, part.default_for) for part in found if part.default_for] == [
        ("there", "first_name"),
        ("", "last_name"),
    ]


@pytest.mark.parametrize(
    ("text", "units", "count", "unusual"),
    [
        ("", 0, 1, ""),
        ("a" * 160, 160, 1, ""),
        ("a" * 161, 161, 2, ""),
        ("a" * 306, 306, 2, ""),
        ("a" * 307, 307, 3, ""),
        ("€" * 80, 160, 1, ""),
        # Two places that would lie on both sides of 153: the last place of the first part stays empty.
        ("a" * 152 + "€" + "a" * 152, 306, 3, ""),
        ("Grüße à Ø Ω", 11, 1, ""),
        ("ł" * 70, 70, 1, "ł"),
        ("ł" * 71, 71, 2, "ł"),
        ("ł" * 134, 134, 2, "ł"),
        ("ł" * 135, 135, 3, "ł"),
        ("😀" * 35, 70, 1, "😀"),
        # 33 emojis fill 66 of 67 units.
        ("😀" * 67, 134, 3, "😀"),
        ("`", 1, 1, "`"),
        ("ç", 1, 1, "ç"),
    ],
)
def test_text_messages_are_counted_as_networks_count(text, units, count, unusual):
    found = text_messages.length(text)
    assert (found.units, found.parts, found.unusual) == (units, count, unusual)
