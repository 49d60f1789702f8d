"""Sales and Service: each with an outbox, an inbox and dead letters, and what they keep; facts in `ma`."""

import sqlalchemy as sa
from alembic import op

from ma.db.migrations.schema import schema, table
from ma.models import UtcTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TOLD = ("bounced", "clicked", "converted", "unsubscribed", "complained")


def upgrade():
    for name in ("recorded_at", "settled_at"):
        op.add_column("outbox_event", sa.Column(name, UtcTime(), nullable=True), schema=schema())
    op.add_column(
        "outbox_event", sa.Column("stream_id", sa.String(length=40), nullable=True), schema=schema()
    )
    _outbox_indexes("outbox_event", schema())
    # What was sent before there were subscribers is not theirs.
    op.execute(
        f"UPDATE {table('outbox_event')} SET settled_at = sent_at, recorded_at = sent_at "
        "WHERE sent_at IS NOT NULL"
    )
    for module in ("ma", "sales", "service"):
        _inbox(module)
        if module != "ma":
            _outbox(module)
            _person(module)
    _ma()
    _sales()
    _service()


def _key(name: str = "id", nullable: bool = False, **options) -> sa.Column:
    type_ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, type_, nullable=nullable, **options)


def _index(
    name: str, of: str, columns: list[str], where: str | None = None, *, in_: str | None, unique=False
):
    conditions = {} if where is None else {"sqlite_where": sa.text(where), "postgresql_where": sa.text(where)}
    op.create_index(name, of, columns, unique=unique, schema=in_, **conditions)


def _table(name: str, *columns, in_: str | None, key: tuple[str, ...] = ("id",)):
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")), schema=in_)


def _outbox(module: str):
    name = f"{module}_outbox"
    _table(
        name,
        _key(),
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("occurred_at", UtcTime(), nullable=False),
        sa.Column("recorded_at", UtcTime(), nullable=True),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("sent_at", UtcTime(), nullable=True),
        sa.Column("stream_id", sa.String(length=40), nullable=True),
        sa.Column("settled_at", UtcTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.UniqueConstraint("event_id", name=op.f(f"uq_{name}_event_id")),
        in_=schema(module),
    )
    _index(f"ix_{name}_unsent", name, ["id"], "sent_at IS NULL", in_=schema(module))
    _outbox_indexes(name, schema(module))


def _outbox_indexes(name: str, in_: str | None):
    _index(f"ix_{name}_unsettled", name, ["id"], "settled_at IS NULL", in_=in_)
    _index(f"ix_{name}_settled", name, ["settled_at"], "settled_at IS NOT NULL", in_=in_)


def _inbox(module: str):
    _table(
        f"{module}_inbox",
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        in_=schema(module),
        key=("event_id",),
    )
    _index(f"ix_{module}_inbox_at", f"{module}_inbox", ["at"], in_=schema(module))
    name = f"{module}_dead_letter"
    _table(
        name,
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("occurred_at", UtcTime(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failed_at", UtcTime(), nullable=False),
        sa.Column("retry_at", UtcTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        in_=schema(module),
        key=("event_id",),
    )
    _index(f"ix_{name}_retry_at", name, ["retry_at"], "retry_at IS NOT NULL", in_=schema(module))


def _person(module: str):
    _table(
        f"{module}_person",
        _key("customer_id", autoincrement=False),
        _key("same_as", nullable=True),
        sa.Column("gone", sa.Boolean(), nullable=False),
        in_=schema(module),
        key=("customer_id",),
    )


def _ma():
    _table(
        "customer_fact",
        _key(),
        _key("customer_id"),
        sa.Column("module", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("ref", sa.BigInteger(), nullable=True),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("channel", sa.String(length=20), nullable=True),
        sa.Column("detail", sa.String(length=40), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], [table("customer") + ".id"], name=op.f("fk_customer_fact_customer_id_customer")
        ),
        in_=schema(),
    )
    for columns in (["customer_id", "at"], ["kind", "customer_id", "at"]):
        _index(f"ix_customer_fact_{'_'.join(columns)}", "customer_fact", columns, in_=schema())
    _table(
        "outcome_publication",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("wave", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("until", UtcTime(), nullable=False),
        sa.Column("ends_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            [table("campaign") + ".id"],
            name=op.f("fk_outcome_publication_campaign_id_campaign"),
        ),
        in_=schema(),
        key=("campaign_id", "wave"),
    )
    for step in TOLD:
        columns = ["campaign_id", "wave", f"{step}_at"]
        _index(f"ix_outcome_{step}", "outcome", columns, f"{step}_at IS NOT NULL", in_=schema())


def _sales():
    sales = schema("sales")
    _table(
        "sales_signal",
        _key("customer_id", autoincrement=False),
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("band", sa.Integer(), nullable=True),
        sa.Column("revenue_minor", sa.BigInteger(), nullable=True),
        sa.Column("stale", sa.Boolean(), nullable=False),
        sa.Column("told_at", UtcTime(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        in_=sales,
        key=("customer_id", "campaign_id", "step"),
    )
    _table(
        "sales_rep",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("name", name=op.f("uq_sales_rep_name")),
        in_=sales,
    )
    _table(
        "sales_lead",
        _key(),
        _key("customer_id", nullable=True),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=True),
        sa.Column("value_minor", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", UtcTime(), nullable=False),
        sa.Column("signal_at", UtcTime(), nullable=False),
        sa.Column("stage_at", UtcTime(), nullable=False),
        sa.Column("closed_at", UtcTime(), nullable=True),
        sa.Column("lost_reason", sa.String(length=40), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        in_=sales,
    )
    _index("ix_sales_lead_customer_id", "sales_lead", ["customer_id"], in_=sales)
    _index("ix_sales_lead_stage_score", "sales_lead", ["stage", "score"], in_=sales)
    _index("ix_sales_lead_open", "sales_lead", ["customer_id"], "closed_at IS NULL", in_=sales, unique=True)
    _changes("sales_lead", "lead_id", sales)


def _service():
    service = schema("service")
    _table(
        "service_signal",
        _key("customer_id", autoincrement=False),
        sa.Column("campaign_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("stale", sa.Boolean(), nullable=False),
        sa.Column("told_at", UtcTime(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        in_=service,
        key=("customer_id", "campaign_id", "step"),
    )
    _index("ix_service_signal_campaign_id_step", "service_signal", ["campaign_id", "step"], in_=service)
    _table(
        "service_suppression",
        _key("customer_id", autoincrement=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        in_=service,
        key=("customer_id", "channel"),
    )
    _table(
        "service_ticket",
        _key(),
        sa.Column("kind", sa.String(length=20), nullable=False),
        _key("customer_id", nullable=True),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("priority", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("assignee", sa.String(length=100), nullable=True),
        sa.Column("opened_at", UtcTime(), nullable=False),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.Column("status_at", UtcTime(), nullable=False),
        sa.Column("closed_at", UtcTime(), nullable=True),
        sa.Column("resolution", sa.String(length=40), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        in_=service,
    )
    _index("ix_service_ticket_customer_id", "service_ticket", ["customer_id"], in_=service)
    _index("ix_service_ticket_status_due_at", "service_ticket", ["status", "due_at"], in_=service)
    of_person = ["campaign_id", "kind", "customer_id"]
    _index(
        "ix_service_ticket_person", "service_ticket", of_person,
        "customer_id IS NOT NULL", in_=service, unique=True,
    )  # fmt: skip
    _index(
        "ix_service_ticket_campaign", "service_ticket", of_person[:2],
        "closed_at IS NULL AND kind <> 'complaint'", in_=service, unique=True,
    )  # fmt: skip
    _changes("service_ticket", "ticket_id", service)


def _changes(of: str, key: str, in_: str | None):
    name = f"{of}_change"
    _table(
        name,
        _key(),
        _key(key),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.String(length=100), nullable=True),
        in_=in_,
    )
    _index(f"ix_{name}_{key}_at", name, [key, "at"], in_=in_)
