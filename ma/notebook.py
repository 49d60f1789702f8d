"""The workbench in a notebook: the figures of the screens, from the same functions, as DataFrames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd

from ma import clock
from ma.analytics import campaigns as campaign_list
from ma.analytics import customers as customer_list
from ma.analytics import explanation, frames, segment_performance
from ma.analytics import funnel as funnels
from ma.analytics import kpis as figures
from ma.analytics import roi as returns
from ma.analytics import segments as segment_list
from ma.analytics import value_summaries as purchase_histories
from ma.analytics.catalogue import catalogue
from ma.analytics.customer_scores import customer_scores
from ma.analytics.explanation import Explanation
from ma.analytics.workspace import workspace
from ma.db import migrate
from ma.db.engine import Database
from ma.db.engine import connect as connect_database
from ma.errors import FileProblem
from ma.files.reading import read
from ma.files.writing import EXTENSIONS, written
from ma.rules import Rule, parse
from ma.rules.uses import present_values
from ma.services import budget_plans, forecasts, import_suggestions, imports, replays
from ma.services.exports import record_export
from ma.services.imports import Options
from ma.settings import settings
from ma.types import SYSTEM


def connect(url: str | None = None) -> "Workbench":
    """A workbench on the database of a SQLAlchemy URL; without one, that of MA_DATABASE_URL.

    Raises NotReady when the database has no tables yet, or those of another version.
    """
    database = connect_database(url or settings().database_url)
    migrate.require_current(database)
    return Workbench(database)


@dataclass(frozen=True)
class Imported:
    """What an import did, or with a dry run would do; `import_id` is None where nothing was written.

    changes: row, customer, field, before, after. rejected: row, column, value, problem.
    """

    import_id: int | None
    counts: dict[str, int]
    notes: list[str]
    mapping: dict[str, str]
    key: str
    changes: pd.DataFrame = field(repr=False)
    rejected: pd.DataFrame = field(repr=False)
    rejected_rows: pd.DataFrame = field(repr=False)


class Workbench:
    """One workspace: reads it, and brings files in and out as the system.

    Money is in minor units, rates are 0-1, NaN is unknown.
    """

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

    def currency(self) -> str:
        """The workspace's currency, such as USD; amounts are in its smallest unit."""
        with self._database.reading() as session:
            return workspace(session).currency

    def kpis(self, *, days: int = 28, as_of: datetime | None = None) -> pd.DataFrame:
        """The key figures of the last `days` days, today included, against those before them."""
        with self._database.reading() as session:
            place = workspace(session)
            as_of = as_of or place.now()
            end = clock.local_day(as_of, place.timezone) + timedelta(days=1)
            return figures.kpis(session, as_of=as_of, start=end - timedelta(days=days), end=end)

    def funnel(self, *campaign_ids: int, as_of: datetime | None = None) -> pd.DataFrame:
        """The funnel of the campaigns given, or of all."""
        # A frame's ids are numpy's numbers, which no database takes.
        return self._read(funnels.funnel, as_of, campaign_ids=[int(i) for i in campaign_ids] or None)

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

    def customer_scores(self, rfm_segment: str = "", *, as_of: datetime | None = None) -> pd.DataFrame:
        """What the value models say about each customer, the highest expected value first."""
        return self._read(customer_scores, as_of, rfm_segment=rfm_segment)

    def value_summaries(self, *, as_of: datetime | None = None) -> pd.DataFrame:
        """Frequency, recency, T (in days) and monetary value of each customer: what models are fitted on."""
        return self._read(purchase_histories.summaries, as_of)

    def segments(self, *, as_of: datetime | None = None) -> pd.DataFrame:
        """The segments with their size at the last refresh."""
        return self._read(segment_list.segments, as_of)

    def members(self, segment_id: int, *, as_of: datetime | None = None) -> pd.DataFrame:
        """The people of a segment at its last refresh."""
        return self._read(segment_list.members, as_of, segment_id=segment_id)

    def rule(self, json: str | dict) -> "WorkspaceRule":
        """A rule read with what this workspace has: its own fields, events, campaigns and segments.

        Raises InvalidRule with the place of what is wrong and the remedy.
        """
        with self._database.reading() as session:
            return WorkspaceRule(self._database, parse(json, catalogue(session)))

    def campaigns(self, *, as_of: datetime | None = None) -> pd.DataFrame:
        """Every campaign with its status."""
        return self._read(campaign_list.campaigns, as_of)

    def forecast(self, campaign_id: int, *, as_of: datetime | None = None) -> pd.DataFrame:
        """What a draft is expected to bring: quantiles by variant ("" is all of them) and figure."""
        return self._read(forecasts.quantiles, as_of, campaign_id=campaign_id)

    def budget_plan(
        self,
        campaign_ids: Sequence[int],
        budget_minor: int,
        *,
        days_apart: int = 0,
        as_of: datetime | None = None,
    ) -> pd.DataFrame:
        """The split of one budget among drafts with the highest expected extra profit."""
        chosen = {"campaign_ids": campaign_ids, "budget_minor": budget_minor, "days_apart": days_apart}
        return self._read(budget_plans.budget_plan, as_of, **chosen)

    def replay(self, campaign_id: int, *, as_of: datetime | None = None, **changes: object) -> pd.DataFrame:
        """A launched campaign on the same luck with other values, such as holdout_share=0, against itself."""
        return self._read(replays.figures, as_of, campaign_id=campaign_id, changes=changes)

    def frame(self, name: str, *, as_of: datetime | None = None, **params: object) -> pd.DataFrame:
        """Any table that the screens export, by its name there."""
        texts = _texts(params)
        with self._database.reading() as session:
            as_of = as_of or workspace(session).now()
            return frames.frame(session, name, as_of=as_of, params=texts)

    def import_file(
        self,
        kind: str,
        path: str | Path,
        *,
        mapping: dict[str, str] | None = None,
        key: str | None = None,
        options: Options | None = None,
        dry_run: bool = True,
        encoding: str | None = None,
        separator: str | None = None,
        sheet: str | None = None,
        progress: Callable[[float, str], object] = lambda share, words: None,
    ) -> Imported:
        """Import a file of one of services.imports.KINDS; without `dry_run=False` only look.

        `mapping` (field -> column) corrects what the columns' names suggest; an empty column leaves a field
        out. Raises FileProblem, InvalidInput and Conflict; then nothing was written.
        """
        path = Path(path)
        table = read(path, name=path.name, encoding=encoding, separator=separator, sheet=sheet)
        with self._database.reading() as session:
            at = workspace(session).now()
            found = _mapping(import_suggestions.suggestion(session, kind, table).mapping, mapping or {})
            plan = imports.plan(
                session,
                SYSTEM,
                kind,
                table,
                mapping=found,
                key=key or import_suggestions.likely_key(kind, found),
                options=options or imports.Options(source="notebook"),
                at=at,
            )
        done = imports.Done(None, plan.counts)
        if not dry_run:
            with self._database.writing() as session:
                done = imports.apply(session, SYSTEM, plan, at=at, progress=progress)
            with self._database.reading() as session:
                imports.settle(session)
        return Imported(
            done.import_id,
            done.counts,
            plan.notes,
            plan.mapping,
            plan.key,
            plan.changes,
            plan.rejected,
            plan.rejected_rows,
        )

    def undo_import(self, import_id: int) -> dict:
        """Take an import back; how many customers, orders and events were removed, restored and kept."""
        with self._database.writing() as session:
            return imports.undo(session, SYSTEM, import_id, at=workspace(session).now())

    def export(self, name: str, path: str | Path, **params: object) -> int:
        """Write a table that the screens export into a .csv, .parquet or .xlsx file; returns its rows.

        Raises NotFound, InvalidInput and FileProblem.
        """
        path = Path(path)
        extension = path.suffix.removeprefix(".").lower()
        if extension not in EXTENSIONS:
            raise FileProblem(f"Name the file with one of the endings .{', .'.join(EXTENSIONS)}.")
        table = self.frame(name, **params)
        try:
            path.write_bytes(written(table, extension))
        except OSError as error:
            raise FileProblem(f"{path} cannot be written. Check the folder and its permissions.") from error
        texts = _texts(params)
        with self._database.writing() as session:
            record_export(
                session,
                SYSTEM,
                frame=name,
                extension=extension,
                rows=len(table),
                params=texts,
                at=workspace(session).now(),
            )
        return len(table)

    def report(
        self,
        path: str | Path,
        *,
        campaign_ids: Sequence[int] | None = None,
        start: date | None = None,
        end: date | None = None,
        as_of: datetime | None = None,
    ) -> int:
        """Write a report on campaigns launched on days in [start, end) as .html, or .pdf with a browser.

        All of them, or those given; returns how many. Raises NotFound, InvalidPeriod and FileProblem.
        """
        # Loaded here: it draws, which nothing else in a notebook or on the command line pays for.
        from ma.report import document, printing

        path = Path(path)
        extension = path.suffix.removeprefix(".").lower()
        if extension not in ("html", "pdf"):
            raise FileProblem("Name the file with one of the endings .html, .pdf.")
        ids = None if campaign_ids is None else [int(i) for i in campaign_ids]
        chosen = {"campaign_ids": ids, "start": start, "end": end}
        with self._database.reading() as session:
            now = workspace(session).now()
            made = document.report(session, as_of=as_of or now, made_at=now, made_by=SYSTEM.name, **chosen)
        try:
            path.write_bytes(printing.to_pdf(made.html) if extension == "pdf" else made.html.encode())
        except OSError as error:
            raise FileProblem(f"{path} cannot be written. Check the folder and its permissions.") from error
        params = _texts({name: value for name, value in chosen.items() if value is not None})
        with self._database.writing() as session:
            record_export(
                session,
                SYSTEM,
                frame="report",
                extension=extension,
                rows=made.campaigns,
                params=params,
                at=workspace(session).now(),
            )
        return made.campaigns

    def _read(self, function, as_of: datetime | None, **arguments) -> pd.DataFrame:
        with self._database.reading() as session:
            return function(session, as_of=as_of or workspace(session).now(), **arguments)


@dataclass(frozen=True)
class WorkspaceRule:
    """A rule over the customers of one workspace. `as_of` is the present everywhere, or a past instant."""

    _database: Database = field(repr=False)
    rule: Rule

    def english(self) -> str:
        """The rule as one sentence."""
        with self._database.reading() as session:
            return self.rule.english(workspace(session).currency)

    def json(self) -> dict:
        """The rule as it is stored."""
        return self.rule.json()

    def to_sql(self, dialect: str | None = None, *, as_of: datetime | None = None) -> str:
        """The select of the customers' ids as SQL text with its values; of this database, or of a dialect."""
        with self._database.reading() as session:
            place = workspace(session)
        return self.rule.to_sql(
            dialect or self._database.engine.dialect.name,
            as_of=as_of or place.now(),
            timezone=place.timezone,
        )

    @property
    def present_values(self) -> list[str]:
        """What has its present value in this rule also where a past instant is asked for, in words."""
        return present_values(self.rule.node, self.rule.catalogue)

    def members(self, *, as_of: datetime | None = None) -> pd.DataFrame:
        """Everybody whom the rule chooses, one row each, with the columns of `segments.people`."""
        return self._ask(segment_list.people, as_of)

    def count(self, *, as_of: datetime | None = None) -> int:
        """How many people the rule chooses."""
        return self._ask(segment_list.count, as_of)

    def explain(self, *, as_of: datetime | None = None) -> Explanation:
        """What each part of the rule does, from one truth table: `.effects` and `.missing` are DataFrames."""
        with self._database.reading() as session:
            return explanation.explain(
                session,
                self.rule.node,
                as_of=as_of or workspace(session).now(),
                catalogue=self.rule.catalogue,
            )

    def _ask(self, function, as_of: datetime | None):
        with self._database.reading() as session:
            return function(session, self.rule.json(), as_of=as_of or workspace(session).now())


def _texts(params: dict[str, object]) -> dict[str, str]:
    """Parameters as an address has them: lists with commas between."""
    return {
        name: ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        for name, value in params.items()
    }


def _mapping(suggested: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    """The suggested fields, less those whose column was given to another field, and the given ones."""
    free = {name: header for name, header in suggested.items() if header not in given.values()}
    return {name: header for name, header in (free | given).items() if header}
