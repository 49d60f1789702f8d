"""A workspace whose people cannot all be written to, launches in it, and what changes after them."""

from sqlalchemy import select

from ma.models import ConsentChange, Customer
from ma.services.customers import update_customer
from ma.services.launches import launch_campaign, send_wave
from ma.services.segments import create_segment, refresh_segment
from ma.simulation import replay as worlds
from ma.types import SYSTEM, Channel
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, days, draft, outcomes
from tests.services.test_launches import change, past_messages

LOW = {"field": "engagement", "operator": "lt", "value": 30}
ODD = {"field": "external_id", "operator": "ends_with", "value": "7"}
OTHERS = [
    {"share": 0.3, "subject": "Two", "body": "b", "effects": {"clicked": 0.5}},
    {"share": 0.2, "subject": "Three", "body": "c", "effects": {"order_value": 1.0}},
]
COSTS = {"cost_per_thousand_minor": 9_000, "fixed_cost_minor": 500}
LATER = NOW + days(60)
STEPS = [name for name in worlds.PEOPLE if name != "caused"]


def people(session):
    """1,000 people, some of whom cannot be written to; segments: everybody (1), low (2), sevens (3)."""
    world.build(session, 1_000)
    for name, rule in (("Low", LOW), ("Sevens", ODD)):
        create_segment(session, SYSTEM, name=name, rule=rule, at=NOW - days(40))
    change(session, range(1, 101), consent_sms=False, consent_email=False)
    change(session, range(101, 141), phone=None)
    for number in range(2):
        past_messages(session, range(200, 400), name=f"Busy {number}", channel=Channel.PUSH)
    past_messages(session, range(300, 450), name="Busier")
    past_messages(session, range(450, 480), name="Gone", unsubscribed_at=NOW - days(1))
    for channel in (Channel.SMS, Channel.EMAIL):
        first = {"customer_id": 950, "channel": channel, "allowed": True, "at": NOW - days(90)}
        session.add(ConsentChange(**first, source="first record", actor="x"))


def launch(session, campaign_id, *, at=NOW, seed=7):
    launch_campaign(session, SYSTEM, campaign_id, at=at, seed=seed)
    for wave in range(2, world.campaign(session, campaign_id).waves + 1):
        send_wave(session, campaign_id, at=at + days(wave - 1))


def stored_values(session, campaign_id):
    """What everybody did by what is stored, by customer."""
    return worlds.values(outcomes(session, campaign_id), as_of=LATER).set_index("customer_id")


def as_if(session, values):
    """What another launch at the same moment on the same luck stores, as if this one had never been."""
    with session.begin_nested() as nested:
        other = draft(session, name="As if", **values)
        launch(session, other)
        found = stored_values(session, other)
        variants = outcomes(session, other).query("arm == 'treated'").set_index("customer_id")["variant"]
        nested.rollback()
    return found, variants


def time_goes_by(session):
    """All that changes after a launch and must not change its replay."""
    past_messages(session, range(500, 900), name="After", ago=-1, unsubscribed_at=NOW + days(2))
    past_messages(session, range(1, 50), name="At once", ago=0)
    version = session.scalar(select(Customer.version).where(Customer.id == 950))
    gone = {"consent_sms": False, "consent_email": False}
    update_customer(session, SYSTEM, 950, version=version, at=NOW + days(3), **gone)
    change(session, [960], deleted_at=NOW + days(3))
    for segment_id in (1, 2, 3):
        refresh_segment(session, SYSTEM, segment_id, at=NOW + days(5))
