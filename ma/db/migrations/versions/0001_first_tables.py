"""First tables: customers and their facts, segments, campaigns, users, audit and outbox."""

import sqlalchemy as sa
from alembic import op

from ma.db.migrations.schema import schema, table
from ma.models.base import UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "app_user",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_user")),
        sa.UniqueConstraint("username", name=op.f("uq_app_user_username")),
        schema=schema(),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("noun", sa.String(length=40), nullable=False),
        sa.Column("object_id", sa.String(length=100), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        schema=schema(),
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False, schema=schema())
    op.create_index(
        op.f("ix_audit_noun_object_id"), "audit", ["noun", "object_id"], unique=False, schema=schema()
    )
    op.create_table(
        "category",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_folded", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_category")),
        sa.UniqueConstraint("name_folded", name=op.f("uq_category_name_folded")),
        schema=schema(),
    )
    op.create_table(
        "customer",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("external_id", sa.String(length=100), nullable=True),
        sa.Column("first_name", sa.String(length=100), nullable=True),
        sa.Column("last_name", sa.String(length=100), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("gender", sa.String(length=20), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("city", sa.String(length=100), nullable=True),
        sa.Column("postal_code", sa.String(length=20), nullable=True),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("joined_on", sa.Date(), nullable=True),
        sa.Column("age_band", sa.String(length=20), nullable=True),
        sa.Column("income_band", sa.String(length=20), nullable=True),
        sa.Column("home_ownership", sa.String(length=40), nullable=True),
        sa.Column("marital_status", sa.String(length=40), nullable=True),
        sa.Column("household_size", sa.String(length=10), nullable=True),
        sa.Column("household_composition", sa.String(length=40), nullable=True),
        sa.Column("kids", sa.String(length=10), nullable=True),
        sa.Column("consent_email", sa.Boolean(), nullable=False),
        sa.Column("consent_sms", sa.Boolean(), nullable=False),
        sa.Column("consent_push", sa.Boolean(), nullable=False),
        sa.Column("consent_direct_mail", sa.Boolean(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("first_name_folded", sa.String(length=200), nullable=True),
        sa.Column("last_name_folded", sa.String(length=200), nullable=True),
        sa.Column("email_folded", sa.String(length=254), nullable=True),
        sa.Column("phone_digits", sa.String(length=40), nullable=True),
        sa.Column("city_folded", sa.String(length=200), nullable=True),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("split_bucket", sa.Integer(), nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("spend_minor", sa.BigInteger(), nullable=False),
        sa.Column("average_order_minor", sa.BigInteger(), nullable=True),
        sa.Column("first_order_at", UtcTime(), nullable=True),
        sa.Column("last_order_at", UtcTime(), nullable=True),
        sa.Column("favourite_category", sa.String(length=100), nullable=True),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("last_visit_at", UtcTime(), nullable=True),
        sa.Column("engagement", sa.Float(), nullable=True),
        sa.Column("profiled_at", UtcTime(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("deleted_at", UtcTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        schema=schema(),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_customer_deleted_at_last_name_folded_first_name_folded"),
        "customer",
        ["deleted_at", "last_name_folded", "first_name_folded"],
        unique=False,
        schema=schema(),
    )
    op.create_index(
        op.f("ix_customer_deleted_at_last_order_at"),
        "customer",
        ["deleted_at", "last_order_at"],
        unique=False,
        schema=schema(),
    )
    op.create_index(
        op.f("ix_customer_deleted_at_spend_minor"),
        "customer",
        ["deleted_at", "spend_minor"],
        unique=False,
        schema=schema(),
    )
    op.create_index(
        op.f("ix_customer_email_folded"),
        "customer",
        ["email_folded"],
        unique=True,
        schema=schema(),
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        op.f("ix_customer_external_id"),
        "customer",
        ["external_id"],
        unique=True,
        schema=schema(),
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "outbox_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("occurred_at", UtcTime(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("sent_at", UtcTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_event")),
        sa.UniqueConstraint("event_id", name=op.f("uq_outbox_event_event_id")),
        schema=schema(),
    )
    op.create_index(
        "ix_outbox_event_unsent",
        "outbox_event",
        ["id"],
        unique=False,
        schema=schema(),
        sqlite_where=sa.text("sent_at IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.create_table(
        "segment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_folded", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("rule", sa.JSON(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("refreshed_at", UtcTime(), nullable=True),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segment")),
        sa.UniqueConstraint("name_folded", name=op.f("uq_segment_name_folded")),
        schema=schema(),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sign_in_failure",
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("blocked_until", UtcTime(), nullable=True),
        sa.Column("last_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_sign_in_failure")),
        schema=schema(),
    )
    op.create_table(
        "workspace",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("demo_loaded_at", UtcTime(), nullable=True),
        sa.Column("demo_seed", sa.Integer(), nullable=True),
        sa.Column("clock_offset_seconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspace")),
        schema=schema(),
    )
    op.create_table(
        "behaviour_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("page", sa.String(length=200), nullable=True),
        sa.Column("device", sa.String(length=20), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], [table("customer") + ".id"], name=op.f("fk_behaviour_event_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_behaviour_event")),
        schema=schema(),
    )
    op.create_index(
        op.f("ix_behaviour_event_customer_id_at"),
        "behaviour_event",
        ["customer_id", "at"],
        unique=False,
        schema=schema(),
    )
    op.create_table(
        "campaign",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_folded", sa.String(length=200), nullable=False),
        sa.Column("objective", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("segment_id", sa.Integer(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("scheduled_at", UtcTime(), nullable=True),
        sa.Column("cost_per_thousand_minor", sa.BigInteger(), nullable=True),
        sa.Column("fixed_cost_minor", sa.BigInteger(), nullable=True),
        sa.Column("conversion_window_days", sa.Integer(), nullable=False),
        sa.Column("holdout_share", sa.Float(), nullable=False),
        sa.Column("waves", sa.Integer(), nullable=False),
        sa.Column("steps", sa.String(length=100), nullable=False),
        sa.Column("rule", sa.JSON(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("parameters", sa.JSON(), nullable=True),
        sa.Column("code_version", sa.String(length=40), nullable=True),
        sa.Column("eligibility", sa.JSON(), nullable=True),
        sa.Column("waves_sent", sa.Integer(), nullable=False),
        sa.Column("next_wave_at", UtcTime(), nullable=True),
        sa.Column("launched_at", UtcTime(), nullable=True),
        sa.Column("completed_at", UtcTime(), nullable=True),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "holdout_share >= 0 AND holdout_share < 1", name=op.f("ck_campaign_holdout_share")
        ),
        sa.ForeignKeyConstraint(
            ["segment_id"], [table("segment") + ".id"], name=op.f("fk_campaign_segment_id_segment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
        sa.UniqueConstraint("name_folded", name=op.f("uq_campaign_name_folded")),
        schema=schema(),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_campaign_status_next_wave_at"),
        "campaign",
        ["status", "next_wave_at"],
        unique=False,
        schema=schema(),
    )
    op.create_table(
        "purchase",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("external_key", sa.String(length=100), nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], [table("customer") + ".id"], name=op.f("fk_purchase_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase")),
        sa.UniqueConstraint("external_key", name=op.f("uq_purchase_external_key")),
        schema=schema(),
    )
    op.create_index(
        op.f("ix_purchase_at_amount_minor"), "purchase", ["at", "amount_minor"], unique=False, schema=schema()
    )
    op.create_index(
        op.f("ix_purchase_customer_id_at"), "purchase", ["customer_id", "at"], unique=False, schema=schema()
    )
    op.create_table(
        "segment_member",
        sa.Column("segment_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entered_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], [table("customer") + ".id"], name=op.f("fk_segment_member_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["segment_id"], [table("segment") + ".id"], name=op.f("fk_segment_member_segment_id_segment")
        ),
        sa.PrimaryKeyConstraint("segment_id", "customer_id", name=op.f("pk_segment_member")),
        schema=schema(),
    )
    op.create_index(
        op.f("ix_segment_member_customer_id"),
        "segment_member",
        ["customer_id"],
        unique=False,
        schema=schema(),
    )
    op.create_table(
        "segment_refresh",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("segment_id", sa.Integer(), nullable=False),
        sa.Column("as_of", UtcTime(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("entered", sa.Integer(), nullable=False),
        sa.Column("left", sa.Integer(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["segment_id"], [table("segment") + ".id"], name=op.f("fk_segment_refresh_segment_id_segment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segment_refresh")),
        schema=schema(),
    )
    op.create_index(
        op.f("ix_segment_refresh_segment_id_as_of"),
        "segment_refresh",
        ["segment_id", "as_of"],
        unique=False,
        schema=schema(),
    )
    op.create_table(
        "sign_in_ticket",
        sa.Column("ticket_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], [table("app_user") + ".id"], name=op.f("fk_sign_in_ticket_user_id_app_user")
        ),
        sa.PrimaryKeyConstraint("ticket_hash", name=op.f("pk_sign_in_ticket")),
        schema=schema(),
    )
    op.create_table(
        "user_session",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("last_seen_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], [table("app_user") + ".id"], name=op.f("fk_user_session_user_id_app_user")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_user_session")),
        schema=schema(),
    )
    op.create_index(
        op.f("ix_user_session_user_id"), "user_session", ["user_id"], unique=False, schema=schema()
    )
    op.create_table(
        "campaign_result",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("variant", sa.String(length=10), nullable=False),
        sa.Column("arm", sa.String(length=10), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("bounced", sa.Integer(), nullable=True),
        sa.Column("delivered", sa.Integer(), nullable=True),
        sa.Column("opened", sa.Integer(), nullable=True),
        sa.Column("clicked", sa.Integer(), nullable=True),
        sa.Column("converted", sa.Integer(), nullable=True),
        sa.Column("organic", sa.Integer(), nullable=True),
        sa.Column("unsubscribed", sa.Integer(), nullable=True),
        sa.Column("complained", sa.Integer(), nullable=True),
        sa.Column("revenue_minor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], [table("campaign") + ".id"], name=op.f("fk_campaign_result_campaign_id_campaign")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "variant", "arm", "day", name=op.f("pk_campaign_result")),
        schema=schema(),
    )
    op.create_index(op.f("ix_campaign_result_day"), "campaign_result", ["day"], unique=False, schema=schema())
    op.create_table(
        "outcome",
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("arm", sa.String(length=10), nullable=False),
        sa.Column("variant", sa.String(length=10), nullable=False),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("assigned_at", UtcTime(), nullable=False),
        sa.Column("sent_at", UtcTime(), nullable=True),
        sa.Column("bounced_at", UtcTime(), nullable=True),
        sa.Column("delivered_at", UtcTime(), nullable=True),
        sa.Column("opened_at", UtcTime(), nullable=True),
        sa.Column("clicked_at", UtcTime(), nullable=True),
        sa.Column("converted_at", UtcTime(), nullable=True),
        sa.Column("unsubscribed_at", UtcTime(), nullable=True),
        sa.Column("complained_at", UtcTime(), nullable=True),
        sa.Column("organic", sa.Boolean(), nullable=False),
        sa.Column("revenue_minor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], [table("campaign") + ".id"], name=op.f("fk_outcome_campaign_id_campaign")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], [table("customer") + ".id"], name=op.f("fk_outcome_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "customer_id", name=op.f("pk_outcome")),
        schema=schema(),
    )
    op.create_index(
        op.f("ix_outcome_campaign_id_wave"), "outcome", ["campaign_id", "wave"], unique=False, schema=schema()
    )
    op.create_index(
        op.f("ix_outcome_customer_id_sent_at"),
        "outcome",
        ["customer_id", "sent_at"],
        unique=False,
        schema=schema(),
    )
    op.create_table(
        "purchase_line",
        sa.Column("purchase_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("category_id", sa.Integer(), nullable=True),
        sa.Column("product", sa.String(length=200), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["category_id"], [table("category") + ".id"], name=op.f("fk_purchase_line_category_id_category")
        ),
        sa.ForeignKeyConstraint(
            ["purchase_id"], [table("purchase") + ".id"], name=op.f("fk_purchase_line_purchase_id_purchase")
        ),
        sa.PrimaryKeyConstraint("purchase_id", "line", name=op.f("pk_purchase_line")),
        schema=schema(),
    )
