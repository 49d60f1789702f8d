"""Imports: what came in, what it changed, and how columns were mapped."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from ma.models.base import Base, BigKey, UtcTime


class ImportRun(Base):
    """One file that came in. `kind` is one of services.imports.KINDS."""

    __tablename__ = "import_run"
    __table_args__ = (Index(None, "at"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    file_name: Mapped[str] = mapped_column(String(255))
    file_sha256: Mapped[str] = mapped_column(String(64))
    counts: Mapped[dict] = mapped_column(JSON)
    options: Mapped[dict] = mapped_column(JSON)
    actor: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime] = mapped_column(UtcTime)
    undone_at: Mapped[datetime | None] = mapped_column(UtcTime)
    undone_by: Mapped[str | None] = mapped_column(String(100))


class ImportChange(Base):
    """What an existing row held before an import changed it. Rows that it added carry its `import_id`."""

    __tablename__ = "import_change"

    import_id: Mapped[int] = mapped_column(ForeignKey("ma.import_run.id"), primary_key=True)
    noun: Mapped[str] = mapped_column(String(20), primary_key=True)
    object_id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    before: Mapped[dict] = mapped_column(JSON)
    # The customer's version after the import: whoever changed them since keeps what they wrote.
    version: Mapped[int | None]


class ImportMapping(Base):
    """Which column of a file is which field, remembered for the next file with the same header."""

    __tablename__ = "import_mapping"

    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    header_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    mapping: Mapped[dict] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(UtcTime)
