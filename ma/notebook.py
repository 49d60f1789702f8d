"""The workbench in a notebook: the figures of the screens, from the same functions, as DataFrames."""

from datetime import date, datetime, timedelta

import pandas as pd

from ma import clock
from ma.analytics import campaigns as campaign_list
from ma.analytics import customers as customer_list
from ma.analytics import frames, segment_performance
from ma.analytics import funnel as funnels
from ma.analytics import kpis as figures
from ma.analytics import roi as returns
from ma.analytics import segments as segment_list
from ma.analytics.workspace import workspace
from ma.db import migrate
from ma.db.engine import Database
from ma.db.engine import connect as connect_database
from ma.settings import settings


def connect(url: str | None = None) -> "Workbench":
    """A workbench on the database of a SQLAlchemy URL; without one, that of MA_DATABASE_URL.

    Raises NotReady when the database has no tables yet, or those of another version.
    """
    database = connect_database(url or settings().database_url)
    migrate.require_current(database)
    return Workbench(database)


class Workbench:
    """Reads one workspace. Money is in minor units, rates are 0-1, NaN is unknown."""

    def __init__(self, database: Database):
        self._database = database

    def now(self) -> datetime:
        """The present instant as the workspace sees it (the demo clock included)."""
        with self._database.reading() as session:
            return workspace(session).now()

    def today(self) -> date:
        """The calendar day of `now` in the workspace's time zone."""
        with self._database.reading() as session:
            place = workspace(session)
        return clock.local_day(place.now(), place.timezone)

    def kpis(self, *, days: int = 28, as_of: datetime | None = None) -> pd.DataFrame:
        """The key figures of the last `days` days, today included, against those before them."""
        with self._database.reading() as session:
            place = workspace(session)
            as_of = as_of or place.now()
            end = clock.local_day(as_of, place.timezone) + timedelta(days=1)
            return figures.kpis(session, as_of=as_of, start=end - timedelta(days=days), end=end)

    def funnel(self, *campaign_ids: int, as_of: datetime | None = None) -> pd.DataFrame:
        """The funnel of the campaigns given, or of all."""
        return self._read(funnels.funnel, as_of, campaign_ids=list(campaign_ids) or None)

    def roi(
        self, *, start: date | None = None, end: date | None = None, as_of: datetime | None = None
    ) -> pd.DataFrame:
        """Return on investment by campaign launched on days in [start, end)."""
        return self._read(returns.roi, as_of, start=start, end=end)

    def segment_performance(self, *, as_of: datetime | None = None) -> pd.DataFrame:
        """How each segment responded to its campaigns."""
        return self._read(segment_performance.performance, as_of)

    def customers(self, q: str = "", *, as_of: datetime | None = None) -> pd.DataFrame:
        """Customers whose name, e-mail, phone or id has every word of `q`; all of them without it."""
        return self._read(customer_list.customers, as_of, q=q)

    def segments(self, *, as_of: datetime | None = None) -> pd.DataFrame:
        """The segments with their size at the last refresh."""
        return self._read(segment_list.segments, as_of)

    def members(self, segment_id: int, *, as_of: datetime | None = None) -> pd.DataFrame:
        """The people of a segment at its last refresh."""
        return self._read(segment_list.members, as_of, segment_id=segment_id)

    def campaigns(self, *, as_of: datetime | None = None) -> pd.DataFrame:
        """Every campaign with its status."""
        return self._read(campaign_list.campaigns, as_of)

    def frame(self, name: str, *, as_of: datetime | None = None, **params: object) -> pd.DataFrame:
        """Any table that the screens export, by its name there."""
        texts = {key: str(value) for key, value in params.items()}
        with self._database.reading() as session:
            as_of = as_of or workspace(session).now()
            return frames.frame(session, name, as_of=as_of, params=texts)

    def _read(self, function, as_of: datetime | None, **arguments) -> pd.DataFrame:
        with self._database.reading() as session:
            return function(session, as_of=as_of or workspace(session).now(), **arguments)
