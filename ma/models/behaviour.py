"""What people do beside buying: web visits and other events."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from ma.models.base import Base, BigKey, UtcTime


class BehaviourEvent(Base):
    """One event of one customer; `kind` is visit for a page seen on the web."""

    __tablename__ = "behaviour_event"
    __table_args__ = (
        Index(None, "customer_id", "at", "kind"),
        # Which kinds there are beside visits, without reading the events.
        Index(None, "kind", sqlite_where=text("kind <> 'visit'"), postgresql_where=text("kind <> 'visit'")),
        Index(
            None,
            "external_key",
            unique=True,
            sqlite_where=text("external_key IS NOT NULL"),
            postgresql_where=text("external_key IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("ma.customer.id"))
    kind: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(UtcTime)
    page: Mapped[str | None] = mapped_column(String(200))
    device: Mapped[str | None] = mapped_column(String(20))
    # What makes it the same event in a second file: the sender's id, or a hash of the whole event.
    external_key: Mapped[str | None] = mapped_column(String(100))
    import_id: Mapped[int | None] = mapped_column(Integer)
