"""Customers in full: consent with its history, own fields, tags, notes, imports, erasing, merging, search."""

import re
import unicodedata

import sqlalchemy as sa
from alembic import op

from ma.db.migrations.schema import schema, table
from ma.models.base import UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "attribute",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_folded", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("choices", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attribute")),
        sa.UniqueConstraint("name_folded", name=op.f("uq_attribute_name_folded")),
        schema=schema(),
    )
    op.create_table(
        "erased_identity",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_erased_identity")),
        schema=schema(),
    )
    op.create_table(
        "import_mapping",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("header_sha256", sa.String(length=64), nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "header_sha256", name=op.f("pk_import_mapping")),
        schema=schema(),
    )
    op.create_table(
        "import_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("file_sha256", sa.String(length=64), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("undone_at", UtcTime(), nullable=True),
        sa.Column("undone_by", sa.String(length=100), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_run")),
        schema=schema(),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_import_run_at"), "import_run", ["at"], unique=False, schema=schema())
    op.create_table(
        "saved_view",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("screen", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_folded", sa.String(length=200), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
        sa.UniqueConstraint(
            "screen", "owner", "name_folded", name=op.f("uq_saved_view_screen_owner_name_folded")
        ),
        schema=schema(),
    )
    op.create_table(
        "tag",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_folded", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag")),
        sa.UniqueConstraint("name_folded", name=op.f("uq_tag_name_folded")),
        schema=schema(),
    )
    op.create_table(
        "attribute_value",
        sa.Column("attribute_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.String(length=1000), nullable=True),
        sa.Column("text_folded", sa.String(length=2000), nullable=True),
        sa.Column("number", sa.Float(), nullable=True),
        sa.Column("flag", sa.Boolean(), nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["attribute_id"],
            [table("attribute") + ".id"],
            name=op.f("fk_attribute_value_attribute_id_attribute"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], [table("customer") + ".id"], name=op.f("fk_attribute_value_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("attribute_id", "customer_id", "position", name=op.f("pk_attribute_value")),
        schema=schema(),
    )
    op.create_index(
        op.f("ix_attribute_value_customer_id"),
        "attribute_value",
        ["customer_id"],
        unique=False,
        schema=schema(),
    )
    op.create_table(
        "consent_change",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], [table("customer") + ".id"], name=op.f("fk_consent_change_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_change")),
        schema=schema(),
    )
    op.create_index(
        op.f("ix_consent_change_customer_id_at"),
        "consent_change",
        ["customer_id", "at"],
        unique=False,
        schema=schema(),
    )
    op.create_table(
        "customer_tag",
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], [table("customer") + ".id"], name=op.f("fk_customer_tag_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(["tag_id"], [table("tag") + ".id"], name=op.f("fk_customer_tag_tag_id_tag")),
        sa.PrimaryKeyConstraint("tag_id", "customer_id", name=op.f("pk_customer_tag")),
        schema=schema(),
    )
    op.create_index(
        op.f("ix_customer_tag_customer_id"), "customer_tag", ["customer_id"], unique=False, schema=schema()
    )
    op.create_table(
        "distinct_pair",
        sa.Column("first_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("second_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(
            ["first_id"], [table("customer") + ".id"], name=op.f("fk_distinct_pair_first_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["second_id"], [table("customer") + ".id"], name=op.f("fk_distinct_pair_second_id_customer")
        ),
        sa.PrimaryKeyConstraint("first_id", "second_id", name=op.f("pk_distinct_pair")),
        schema=schema(),
    )
    op.create_table(
        "import_change",
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("noun", sa.String(length=20), nullable=False),
        sa.Column("object_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["import_id"], [table("import_run") + ".id"], name=op.f("fk_import_change_import_id_import_run")
        ),
        sa.PrimaryKeyConstraint("import_id", "noun", "object_id", name=op.f("pk_import_change")),
        schema=schema(),
    )
    op.create_table(
        "note",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=100), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("edited_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["customer_id"], [table("customer") + ".id"], name=op.f("fk_note_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_note")),
        schema=schema(),
    )
    op.create_index(
        op.f("ix_note_customer_id_at"), "note", ["customer_id", "at"], unique=False, schema=schema()
    )
    op.add_column(
        "behaviour_event", sa.Column("external_key", sa.String(length=100), nullable=True), schema=schema()
    )
    op.add_column("behaviour_event", sa.Column("import_id", sa.Integer(), nullable=True), schema=schema())
    op.create_index(
        op.f("ix_behaviour_event_external_key"),
        "behaviour_event",
        ["external_key"],
        unique=True,
        schema=schema(),
        sqlite_where=sa.text("external_key IS NOT NULL"),
        postgresql_where=sa.text("external_key IS NOT NULL"),
    )
    op.add_column(
        "customer",
        sa.Column("merged_into", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        schema=schema(),
    )
    op.add_column("customer", sa.Column("erased_at", UtcTime(), nullable=True), schema=schema())
    op.add_column("customer", sa.Column("import_id", sa.Integer(), nullable=True), schema=schema())
    op.add_column("purchase", sa.Column("import_id", sa.Integer(), nullable=True), schema=schema())
    op.add_column(
        "segment",
        sa.Column("static", sa.Boolean(), server_default=sa.false(), nullable=False),
        schema=schema(),
    )
    _keep_notes()
    op.drop_column("customer", "notes", schema=schema())
    _begin_consent_history()
    _rewrite_search_text()
    _index_search_text()
    _index_lists()


def _keep_notes():
    op.execute(
        f"INSERT INTO {table('note')} (customer_id, text, author, at) "
        f"SELECT id, notes, 'system', updated_at FROM {table('customer')} WHERE notes <> ''"
    )


def _begin_consent_history():
    """What is allowed now was first known when the customer was created; before, nothing was allowed."""
    for channel in ("email", "sms", "push", "direct_mail"):
        op.execute(
            f"INSERT INTO {table('consent_change')} (customer_id, channel, allowed, at, source, actor) "
            f"SELECT id, '{channel}', consent_{channel}, created_at, 'first record', 'system' "
            f"FROM {table('customer')} WHERE consent_{channel}"
        )


def _rewrite_search_text():
    """From folded parts to words; the copy of `ma.text` that this version began with."""
    connection, customer, last = op.get_bind(), table("customer"), 0
    page = sa.text(f"SELECT id, search_text, phone FROM {customer} WHERE id > :last ORDER BY id LIMIT 50000")
    change = sa.text(f"UPDATE {customer} SET search_text = :words WHERE id = :id")
    while rows := connection.execute(page, {"last": last}).all():
        last = rows[-1].id
        connection.execute(change, [{"id": row.id, "words": _words(row)} for row in rows])


def _words(row) -> str:
    text = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in row.search_text)
    return " ".join(dict.fromkeys(text.split() + _phone_words(row.phone or "")))


def _phone_words(phone: str) -> list[str]:
    groups = re.findall("[0-9]+", phone)
    tails = ["".join(groups[i:]) for i in range(len(groups))]
    if len(groups) == 1 and phone.strip().startswith(("+", "00")):
        digits = groups[0].lstrip("0")
        tails += [digits[1:], digits[2:], digits[3:]]
    return [tail for tail in (tail.lstrip("0") for tail in tails) if len(tail) >= 3]


def _index_lists():
    """Every order of the list of customers can be walked without reading a row: the id is in the index."""
    for columns in ("last_name_folded_first_name_folded", "spend_minor", "last_order_at"):
        op.drop_index(f"ix_customer_deleted_at_{columns}", "customer", schema=schema())
    for column in ("spend_minor", "last_order_at", "engagement", "created_at"):
        name = op.f(f"ix_customer_deleted_at_{column}_id")
        op.create_index(name, "customer", ["deleted_at", column, "id"], schema=schema())
    # SQLite's indexes begin with NULL anyway, and it has no words for it.
    first = "" if op.get_bind().dialect.name == "sqlite" else " NULLS FIRST"
    op.execute(
        f"CREATE INDEX ix_customer_by_name ON {table('customer')} "
        f"(deleted_at, last_name_folded, first_name_folded{first}, id)"
    )


def _index_search_text():
    if op.get_bind().dialect.name != "sqlite":
        op.execute(
            f"CREATE INDEX ix_customer_search ON {table('customer')} "
            "USING gin (array_to_tsvector(string_to_array(search_text, ' ')))"
        )
        return
    # A migration that rebuilds `customer` drops the triggers with it: it must make them again.
    op.execute(
        "CREATE VIRTUAL TABLE customer_search USING fts5("
        "search_text, content='customer', content_rowid='id', detail=none, columnsize=0, prefix='1 2 3', "
        "tokenize=\"unicode61 remove_diacritics 0 categories 'L* N* M*'\")"
    )
    op.execute("INSERT INTO customer_search (customer_search) VALUES ('rebuild')")
    add = "INSERT INTO customer_search (rowid, search_text) VALUES (new.id, new.search_text);"
    remove = (
        "INSERT INTO customer_search (customer_search, rowid, search_text) "
        "VALUES ('delete', old.id, old.search_text);"
    )
    op.execute(f"CREATE TRIGGER customer_search_add AFTER INSERT ON customer BEGIN {add} END")
    op.execute(f"CREATE TRIGGER customer_search_remove AFTER DELETE ON customer BEGIN {remove} END")
    op.execute(
        "CREATE TRIGGER customer_search_change AFTER UPDATE OF search_text ON customer "
        f"WHEN old.search_text <> new.search_text BEGIN {remove} {add} END"
    )
