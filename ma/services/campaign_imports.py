"""Bringing in campaigns that really happened, with what people did as far as it is known."""

from datetime import datetime, timedelta
from itertools import pairwise

import pandas as pd
from pandas.api.extensions import ExtensionArray
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ma.analytics.workspace import workspace
from ma.clock import local_day
from ma.db import bulk, staging
from ma.errors import Conflict, InvalidInput
from ma.events import outbox
from ma.events.messages import CampaignImported
from ma.models import Campaign, Customer, Outcome
from ma.services import campaign_fields as fields
from ma.services import outcome_events
from ma.services.audit import audit
from ma.services.customer_fields import rows_with
from ma.services.import_campaigns import LONGEST_WINDOW_DAYS
from ma.services.permissions import require
from ma.services.results import rebuild_results
from ma.simulation.assignment import bands
from ma.simulation.funnel import TIMES
from ma.types import FUNNEL_STEPS, SIDE_STEPS, Actor, Arm, CampaignStatus, Channel, Permission, Source

CAMPAIGN, OUTCOME = Campaign.__table__, Outcome.__table__


def import_campaign(
    session: Session,
    actor: Actor,
    *,
    name: str,
    channel: Channel,
    started_at: datetime,
    ended_at: datetime,
    outcomes: pd.DataFrame,
    objective: str = "",
    cost_per_thousand_minor: int | None = None,
    fixed_cost_minor: int | None = None,
    conversion_window_days: int | None = None,
    at: datetime,
) -> int:
    """Add a real campaign and its outcomes; returns its id.

    `outcomes`: one row per person, customer_id and sent_at, and as far as they are known delivered_at,
    opened_at, clicked_at, converted_at, bounced_at, unsubscribed_at, complained_at (missing: it did not
    happen) and revenue_minor. A column that is not there is unknown, not zero. Who took a step has taken
    those before it, as far as there are columns for them: at the same time, where theirs is missing or later.

    The window is by default the days the campaign lasted, its first and last one included; a conversion
    after it is not the campaign's and is left out. The campaign is completed, or running when its end is
    still to come. All rows or none: raises InvalidInput with every problem at once.
    """
    require(actor, Permission.IMPORT)
    known = [column for column in TIMES if column in outcomes]
    row, problems = fields.clean(
        session,
        fields.DEFAULTS
        | {
            "name": name,
            "channel": channel,
            "objective": objective,
            "cost_per_thousand_minor": cost_per_thousand_minor,
            "fixed_cost_minor": fixed_cost_minor,
        },
    )
    # What a person writes for a campaign of their own; real ones come without.
    problems = {
        key: text for key, text in problems.items() if key not in ("segment_id", "subject", "body")
    } | _outcome_problems(session, outcomes, known, started_at, at)
    if not started_at < ended_at:
        problems["ended_at"] = "The campaign ends before it begins. Check both dates."
    window = conversion_window_days
    if window is None:
        zone = workspace(session).timezone
        window = max((local_day(ended_at, zone) - local_day(started_at, zone)).days + 1, 1)
    if not 1 <= window <= LONGEST_WINDOW_DAYS:
        problems["conversion_window_days"] = f"Choose 1 to {LONGEST_WINDOW_DAYS} days."
    if problems:
        raise InvalidInput(problems)
    steps = [step for step in (*FUNNEL_STEPS, *SIDE_STEPS[Channel.EMAIL]) if f"{step}_at" in known]
    over = ended_at <= at
    try:
        campaign_id = session.execute(
            insert(CAMPAIGN).values(
                **{name: value for name, value in row.items() if name != "excluded"}
                | {
                    "channel": Channel(channel).value,
                    "source": Source.IMPORTED,
                    "status": CampaignStatus.COMPLETED if over else CampaignStatus.RUNNING,
                    "steps": ",".join(steps),
                    "conversion_window_days": window,
                    "waves_sent": 1,
                    "launched_at": started_at,
                    "completed_at": ended_at if over else None,
                    "created_by": actor.username,
                    "created_at": at,
                    "updated_at": at,
                    "version": 1,
                }
            )
        ).inserted_primary_key[0]
    except IntegrityError as error:
        raise Conflict("Somebody has just saved a campaign with this name. Choose another name.") from error
    rows, late = _within(outcomes, known, window)
    rows = _nested(rows).assign(
        campaign_id=campaign_id,
        arm=Arm.TREATED.value,
        variant="A",
        wave=1,
        band=_bands(session, rows["customer_id"]),
        source=Source.IMPORTED.value,
        assigned_at=lambda frame: frame["sent_at"],
        organic=False,
    )
    bulk.insert(session, OUTCOME, rows.sort_values("customer_id"))
    rebuild_results(session, campaign_id, outcomes=rows)
    outcome_events.record_imported(session, rows, at=at)
    audit(session, actor, "import", "campaign", campaign_id, at=at, sent=len(rows), late_conversions=late)
    event = CampaignImported(campaign_id=campaign_id, channel=row["channel"], sent=len(rows))
    outbox.record(session, event, at=at)
    return campaign_id


def _within(outcomes: pd.DataFrame, known: list[str], window_days: int) -> tuple[pd.DataFrame, int]:
    """The outcomes without conversions after the window, in UTC, and how many conversions that were."""
    rows = outcomes[["customer_id"]].assign(
        **{column: outcomes[column].dt.tz_convert("UTC").dt.as_unit("us") for column in known},
        revenue_minor=outcomes.get("revenue_minor", 0),
    )
    if "converted_at" not in rows:
        return rows, 0
    late = rows["converted_at"] > rows["sent_at"] + timedelta(days=window_days)
    rows.loc[late, "converted_at"] = pd.NaT
    rows.loc[late, "revenue_minor"] = 0
    return rows, int(late.sum())


def _nested(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with each funnel step taken no later than the known ones after it."""
    steps = [f"{step}_at" for step in FUNNEL_STEPS if f"{step}_at" in rows]
    for later, earlier in pairwise(reversed(steps)):
        rows[earlier] = rows[earlier].mask(rows[earlier].isna() | (rows[later] < rows[earlier]), rows[later])
    return rows


def _bands(session: Session, people: pd.Series) -> ExtensionArray:
    """The band of each person's engagement score now; missing where it is unknown."""
    query = select(Customer.id, Customer.engagement)
    scores = staging.by_id(session, query, Customer.__table__.c.id, people).set_index("id")["engagement"]
    return bands(scores.astype(float)).reindex(people.to_numpy()).array


def _outcome_problems(
    session: Session, outcomes: pd.DataFrame, known: list[str], started_at: datetime, at: datetime
) -> dict[str, str]:
    if missing := {"customer_id", "sent_at"} - set(outcomes):
        return {"outcomes": f"Columns are missing: {', '.join(sorted(missing))}. Add them."}
    if outcomes.empty:
        return {"outcomes": "The campaign was sent to nobody. Add the people it was sent to."}
    problems = {}
    people = outcomes["customer_id"]
    ids = set(session.scalars(select(Customer.id).where(Customer.deleted_at.is_(None))))
    if (unknown := ~people.isin(ids)).any():
        problems["customer_id"] = rows_with(
            unknown, "belongs to no customer here. Import the customers first."
        )
    elif (again := people.duplicated()).any():
        problems["customer_id"] = rows_with(again, "repeats a person. Give one row per person.")
    zoned = [isinstance(outcomes[column].dtype, pd.DatetimeTZDtype) for column in known]
    if not all(zoned):
        return problems | {"times": "Each time needs its time zone."}
    sent = outcomes["sent_at"]
    if (wrong := sent.isna() | (sent < started_at)).any():
        problems["sent_at"] = rows_with(wrong, "was not sent after the campaign began. Check the time.")
    for column in known:
        wrong = (outcomes[column] > at) | (outcomes[column] < sent)
        if wrong.any():
            problems[column] = rows_with(wrong, f"has a {column} before it was sent or in the future.")
    revenue = outcomes.get("revenue_minor")
    if revenue is not None and (revenue.isna().any() or not pd.api.types.is_integer_dtype(revenue)):
        problems["revenue_minor"] = "Give each revenue as a whole number of minor units, such as cents."
    return problems
