"""Migrations bring an empty database to the models, on both engines."""

from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from sqlalchemy import JSON, Column, MetaData, Table, delete, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError

from ma.db import migrate
from ma.db.engine import connect
from ma.models import (
    SCHEMA,
    Attribute,
    AttributeValue,
    Audit,
    Base,
    Campaign,
    ConsentChange,
    Customer,
    CustomerScore,
    Note,
    OutboxEvent,
    Outcome,
    Purchase,
    SalesBase,
    Segment,
    SegmentRefresh,
    SegmentVersion,
    ServiceBase,
    UtcTime,
    ValueModel,
)


def test_upgrade_says_whether_it_created_the_database(tmp_path):
    database = connect(f"sqlite:///{tmp_path / 'new.db'}")
    assert migrate.upgrade(database) is True
    assert migrate.upgrade(database) is False


def test_migrated_tables_have_the_columns_of_the_models(database):
    sqlite = database.engine.dialect.name == "sqlite"
    inspector = inspect(database.engine)
    for base in (Base, SalesBase, ServiceBase):
        for table in base.metadata.tables.values():
            found = inspector.get_columns(table.name, schema=None if sqlite else table.schema)
            assert {c["name"] for c in found} == {c.name for c in table.columns}, table.name


def test_migrated_tables_have_the_indexes_of_the_models(sqlite_url):
    """PostgreSQL's are compared below; one is of use there only."""
    database = connect(sqlite_url)
    inspector = inspect(database.engine)
    missing = set()
    for base in (Base, SalesBase, ServiceBase):
        for table in base.metadata.tables.values():
            found = {one["name"]: one["column_names"] for one in inspector.get_indexes(table.name)}
            meant = {one.name: one.columns.keys() for one in table.indexes}
            assert found == {name: meant[name] for name in found}, table.name
            missing |= meant.keys() - found.keys()
    assert missing == {"ix_customer_present"}
    database.close()


def test_models_and_migrations_agree_in_every_detail(postgres_url):
    database = connect(postgres_url)
    config = migrate._config()
    config.attributes["database"] = database
    command.check(config)
    database.close()


def _at_version(database, version):
    config = migrate._config()
    config.attributes["database"] = database
    command.upgrade(config, version)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request, tmp_path):
    """A database without tables."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.db'}"
    else:
        server = request.getfixturevalue("postgres_server")
        server.psql("CREATE DATABASE from_the_first")
        url = server.get_uri("from_the_first")
    database = connect(url)
    yield database
    database.close()
    if request.param == "postgresql":
        server.psql("DROP DATABASE from_the_first WITH (FORCE)")


def test_the_second_version_keeps_every_row_of_the_first(empty):
    _at_version(empty, "0001")
    then = datetime(2026, 1, 2, tzinfo=UTC)
    given = {"first_name": "Zoë", "phone": "+49 170 1234", "notes": "Likes tea", "consent_sms": True}
    rest = {"consent_email": False, "consent_push": False, "consent_direct_mail": False, "split_bucket": 1}
    rest |= {"search_text": "zoe +49 170 1234 491701234", "orders": 0, "spend_minor": 0, "visits": 0}
    rest |= {"created_at": then, "updated_at": then, "version": 1}
    old = Table(
        "customer",
        MetaData(),
        *(Column(name, UtcTime if name.endswith("_at") else None) for name in given | rest),
        schema=SCHEMA,
    )
    with empty.writing() as session:
        session.execute(insert(old), [given | rest, dict.fromkeys(given) | rest | {"consent_sms": False}])
    migrate.upgrade(empty)
    with empty.reading() as session:
        kept, other = session.execute(select(Customer).order_by(Customer.id)).scalars()
        assert (kept.first_name, kept.phone, kept.consent_sms) == ("Zoë", "+49 170 1234", True)
        assert kept.search_text == "zoe 49 170 1234 491701234 1701234"
        assert session.execute(select(Note.customer_id, Note.text, Note.at)).all() == [
            (kept.id, "Likes tea", then)
        ]
        changes = select(ConsentChange.customer_id, ConsentChange.channel, ConsentChange.allowed)
        assert session.execute(changes).all() == [(kept.id, "sms", True)]
        assert (other.consent_sms, other.search_text) == (False, "zoe 49 170 1234 491701234")


def test_the_third_version_keeps_segments_and_makes_their_rules_the_first_versions(empty):
    _at_version(empty, "0002")
    then, since = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
    rule = {"all": [{"field": "city", "operator": "eq", "value": "Zürich"}]}
    names = ("name", "name_folded", "description", "static", "created_by", "version")
    old = Table(
        "segment",
        MetaData(),
        *(Column(name) for name in names),
        Column("rule", JSON),
        Column("created_at", UtcTime),
        Column("updated_at", UtcTime),
        schema=SCHEMA,
    )
    row = {"description": "", "created_by": "mia", "version": 3, "created_at": then, "updated_at": since}
    with empty.writing() as session:
        for name, static, held in (("Guests", True, None), ("Zürich", False, rule)):
            session.execute(
                insert(old).values(name=name, name_folded=name.lower(), static=static, rule=held, **row)
            )
    migrate.upgrade(empty)
    with empty.reading() as session:
        kept = session.scalars(select(Segment).order_by(Segment.name)).all()
        assert [(one.name, one.rule, one.static, one.version) for one in kept] == [
            ("Guests", None, True, 3),
            ("Zürich", rule, False, 3),
        ]
        assert [(one.updated_at, one.refresh_error) for one in kept] == [(since, None)] * 2
        [first] = session.scalars(select(SegmentVersion)).all()
        assert (first.segment_id, first.number, first.rule) == (kept[1].id, 1, rule)
        assert (first.actor, first.at, first.restored) == ("mia", since, None)


def test_the_fourth_version_keeps_campaigns_and_their_people(empty):
    _at_version(empty, "0003")
    then = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    base = MetaData()
    times = [Column(name, UtcTime) for name in ("created_at", "updated_at", "launched_at")]
    texts = (
        "name",
        "name_folded",
        "objective",
        "channel",
        "status",
        "source",
        "subject",
        "body",
        "steps",
        "created_by",
    )
    numbers = ("conversion_window_days", "holdout_share", "waves", "waves_sent", "version")
    old = Table("campaign", base, *(Column(n) for n in (*texts, *numbers)), *times, schema=SCHEMA)
    person = Table(
        "customer",
        base,
        *(
            Column(n)
            for n in ("first_name", "search_text", "split_bucket", "orders", "spend_minor", "visits")
        ),
        *(Column(f"consent_{n}") for n in ("email", "sms", "push", "direct_mail")),
        *(Column(n, UtcTime) for n in ("created_at", "updated_at")),
        Column("version"),
        schema=SCHEMA,
    )
    sent = Table(
        "outcome",
        base,
        *(Column(n) for n in ("campaign_id", "customer_id", "arm", "variant", "wave", "source", "organic")),
        Column("revenue_minor"),
        Column("assigned_at", UtcTime),
        schema=SCHEMA,
    )
    at = {"created_at": then, "updated_at": then}
    with empty.writing() as session:
        words = dict.fromkeys(texts, "x") | {"subject": "Hello", "body": "{{ first_name }}"}
        session.execute(
            insert(old).values(
                **words, **(dict.fromkeys(numbers, 1) | {"holdout_share": 0.5}), **at, launched_at=then
            )
        )
        flags = {
            "consent_email": True,
            "consent_sms": False,
            "consent_push": False,
            "consent_direct_mail": True,
        }
        counts = {"split_bucket": 1, "orders": 0, "spend_minor": 0, "visits": 0, "version": 1}
        session.execute(insert(person).values(first_name="Zoë", search_text="zoe", **flags, **counts, **at))
        mine = {"campaign_id": 1, "customer_id": 1, "arm": "treated", "variant": "A", "wave": 1}
        session.execute(
            insert(sent).values(**mine, source="simulated", organic=False, revenue_minor=7, assigned_at=then)
        )
    migrate.upgrade(empty)
    with empty.reading() as session:
        [campaign] = session.scalars(select(Campaign)).all()
        assert (campaign.subject, campaign.body, campaign.launched_at) == ("Hello", "{{ first_name }}", then)
        assert (campaign.effects, campaign.variants, campaign.archived_at) == ({}, [], None)
        [outcome] = session.scalars(select(Outcome)).all()
        assert (outcome.revenue_minor, outcome.assigned_at, outcome.band) == (7, then, None)
        [customer] = session.scalars(select(Customer)).all()
        assert (customer.consent_email, customer.consent_direct_mail, customer.consent_ads) == (
            True,
            True,
            False,
        )


def test_the_seventh_version_keeps_customers_who_can_then_be_scored(empty):
    _at_version(empty, "0006")
    then = datetime(2026, 1, 2, tzinfo=UTC)
    flags = dict.fromkeys((f"consent_{n}" for n in ("email", "sms", "push", "direct_mail", "ads")), True)
    counts = {"split_bucket": 1, "orders": 3, "spend_minor": 4, "visits": 5, "version": 1}
    given = {"first_name": "Zoë", "search_text": "zoe", **flags, **counts}
    old = Table(
        "customer",
        MetaData(),
        *(Column(name) for name in given),
        *(Column(name, UtcTime) for name in ("created_at", "updated_at")),
        schema=SCHEMA,
    )
    with empty.writing() as session:
        session.execute(insert(old).values(**given, created_at=then, updated_at=then))
    migrate.upgrade(empty)
    model = {"as_of": then, "status": "unfit", "problems": ["few"], "customers": 1, "repeat_customers": 0}
    model |= {"parameters": {}, "figures": {}, "duration_ms": 1, "created_by": "mia"}
    with empty.writing() as session:
        kept = session.scalars(select(Customer)).one()
        assert (kept.first_name, kept.orders, kept.consent_ads) == ("Zoë", 3, True)
        [model_id] = session.execute(insert(ValueModel.__table__).values(**model)).inserted_primary_key
        session.execute(insert(CustomerScore).values(customer_id=kept.id, model_id=model_id, scored_at=then))
    with empty.reading() as session:
        score = session.scalars(select(CustomerScore)).one()
        assert (score.scored_at, score.rfm_segment, score.churn_risk) == (then, None, None)
        assert session.scalars(select(ValueModel.problems)).one() == ["few"]


def test_the_eighth_version_leaves_what_was_sent_before_there_were_subscribers(empty):
    _at_version(empty, "0007")
    then = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    names = ("event_id", "type", "version", "attempts")
    times = [Column(name, UtcTime) for name in ("occurred_at", "sent_at")]
    old = Table(
        "outbox_event",
        MetaData(),
        *(Column(n) for n in names),
        *times,
        Column("payload", JSON),
        schema=SCHEMA,
    )
    row = {"type": "CustomerErased", "version": 1, "attempts": 1, "occurred_at": then}
    with empty.writing() as session:
        for event_id, sent_at in (("sent", then), ("waiting", None)):
            told = row | {"event_id": event_id, "sent_at": sent_at, "payload": {"customer_id": 7}}
            session.execute(insert(old).values(**told))
    migrate.upgrade(empty)
    with empty.reading() as session:
        events = session.scalars(select(OutboxEvent).order_by(OutboxEvent.id)).all()
        assert [(one.event_id, one.settled_at, one.payload) for one in events] == [
            ("sent", then, {"customer_id": 7}),
            ("waiting", None, {"customer_id": 7}),
        ]


def test_the_tenth_version_keeps_scores_and_frees_them_of_constraints(empty):
    _at_version(empty, "0009")
    then = datetime(2026, 1, 2, tzinfo=UTC)
    model = {"as_of": then, "status": "good", "problems": [], "customers": 1, "repeat_customers": 0}
    model |= {"parameters": {}, "figures": {}, "duration_ms": 1, "created_by": "mia"}
    with empty.writing() as session:
        [model_id] = session.execute(insert(ValueModel.__table__).values(**model)).inserted_primary_key
        customer = {
            "first_name": "Zoë",
            "search_text": "zoe",
            "split_bucket": 1,
            "created_at": then,
            "updated_at": then,
        }
        [zoe] = session.execute(insert(Customer.__table__).values(**customer)).inserted_primary_key
        score = {"customer_id": zoe, "model_id": model_id, "scored_at": then, "churn_risk": 0.25}
        session.execute(insert(CustomerScore).values(**score))
    migrate.upgrade(empty)
    with empty.reading() as session:
        kept = session.scalars(select(CustomerScore)).one()
        assert (kept.customer_id, kept.scored_at, kept.churn_risk) == (zoe, then, 0.25)
    schema = None if empty.engine.dialect.name == "sqlite" else SCHEMA
    found = inspect(empty.engine)
    assert found.get_foreign_keys("customer_score", schema=schema) == []
    assert found.get_pk_constraint("customer_score", schema=schema)["constrained_columns"] == ["customer_id"]


def test_the_thirteenth_version_keeps_own_fields_and_infers_which_rule_a_refresh_used(empty):
    _at_version(empty, "0012")
    then = datetime(2026, 1, 2, tzinfo=UTC)
    own = {"choices": [], "created_by": "mia", "created_at": then}
    person = {"search_text": "", "split_bucket": 1, "created_at": then, "updated_at": then}
    gone = {
        "at": then,
        "actor": "mia",
        "action": "delete",
        "noun": "attribute",
        "object_id": "9",
        "detail": {},
    }
    held = {"description": "", "rule": {}, "created_by": "mia", "created_at": then, "updated_at": then}
    counts = {"size": 1, "entered": 0, "left": 0, "duration_ms": 0}
    refresh = Table(
        "segment_refresh",
        MetaData(),
        *(Column(name) for name in ("segment_id", *counts)),
        Column("as_of", UtcTime),
        schema=SCHEMA,
    )
    with empty.writing() as session:
        for name, kind in (("Shoe size", "number"), ("Garden", "yes_no")):
            session.execute(insert(Attribute).values(name=name, name_folded=name.lower(), kind=kind, **own))
        session.execute(insert(Customer.__table__).values(**person))
        session.execute(insert(AttributeValue).values(attribute_id=1, customer_id=1, position=0, number=44))
        session.execute(insert(Audit).values(**gone))
        session.execute(insert(Segment.__table__).values(name="A", name_folded="a", **held))
        for number in (1, 2):
            at = then + timedelta(days=number)
            values = {"segment_id": 1, "number": number, "rule": {}, "actor": "mia", "at": at}
            session.execute(insert(SegmentVersion).values(**values))
        for days in (0, 1, 1.5, 2, 3):
            as_of = then + timedelta(days=days)
            session.execute(insert(refresh).values(segment_id=1, as_of=as_of, **counts))
    migrate.upgrade(empty)
    with empty.reading() as session:
        kept = session.scalars(select(Attribute).order_by(Attribute.id)).all()
        assert [(one.id, one.name, one.kind, one.choices, one.created_at) for one in kept] == [
            (1, "Shoe size", "number", [], then),
            (2, "Garden", "yes_no", [], then),
        ]
        assert session.scalars(select(AttributeValue.number)).all() == [44]
        used = select(SegmentRefresh.rule_number).order_by(SegmentRefresh.id)
        assert session.scalars(used).all() == [None, 1, 1, 2, 2]
    # What was deleted is not given again, and the values still hang on their field.
    with empty.writing() as session:
        new = insert(Attribute).values(name="Hat", name_folded="hat", kind="number", **own)
        [new_id] = session.execute(new).inserted_primary_key
        assert new_id == (10 if empty.engine.dialect.name == "sqlite" else 3)
    with pytest.raises(IntegrityError), empty.writing() as session:
        session.execute(delete(Attribute).where(Attribute.id == 1))
    with pytest.raises(IntegrityError), empty.writing() as session:
        session.execute(insert(Attribute).values(name="Hut", name_folded="hat", kind="number", **own))


def test_the_fourteenth_version_tells_postgresql_how_many_customers_buy(postgres_url):
    """One in five orders, whatever a sample says: here all are of one customer."""
    database = connect(postgres_url)
    order = {"kind": "sale", "at": datetime(2026, 1, 2, tzinfo=UTC), "amount_minor": 100, "customer_id": 1}
    with database.writing() as session:
        known = "SELECT n_distinct FROM pg_stats WHERE tablename = 'purchase' AND attname = 'customer_id'"
        session.execute(text("SET LOCAL session_replication_role = replica"))  # there is no customer
        session.execute(insert(Purchase), [order] * 20)
        session.execute(text("ANALYZE ma.purchase"))
        assert session.scalar(text(known)) == pytest.approx(-0.2)
        session.rollback()
    database.close()


def test_the_search_index_follows_every_writer(sqlite_url):
    database = connect(sqlite_url)
    find = text("SELECT rowid FROM customer_search WHERE customer_search MATCH 'zo*'")
    row = {"id": 7, "search_text": "zoe", "split_bucket": 1, "created_at": datetime.now(UTC)}
    with database.writing() as session:
        session.execute(insert(Customer), [row | {"updated_at": row["created_at"]}])
    with database.reading() as session:
        assert session.scalars(find).all() == [7]
    with database.writing() as session:
        session.execute(text("UPDATE customer SET search_text = 'ann'"))
    with database.reading() as session:
        assert session.scalars(find).all() == []
        assert session.scalars(text("SELECT rowid FROM customer_search('ann')")).all() == [7]
    with database.writing() as session:
        session.execute(text("DELETE FROM customer"))
    with database.reading() as session:
        assert session.scalars(text("SELECT rowid FROM customer_search('ann')")).all() == []
    database.close()
