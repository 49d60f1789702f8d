"""Who was eligible for a campaign when it was launched, step by step."""

from datetime import datetime

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.errors import NotFound
from ma.models import Campaign


def campaign_eligibility(session: Session, *, as_of: datetime, campaign_id: int) -> pd.DataFrame:
    """The waterfall that a campaign kept at its launch, from its segment to who was sent it.

    One row per step: step, people (left after it), lost (by it). Empty for a campaign that was not launched
    here, or not by `as_of`. Raises NotFound.
    """
    found = select(Campaign.eligibility, Campaign.launched_at).where(Campaign.id == campaign_id)
    row = session.execute(found).one_or_none()
    if row is None:
        raise NotFound(f"There is no campaign {campaign_id}. It may have been removed.")
    launched = row.launched_at is not None and row.launched_at <= as_of
    steps = row.eligibility if launched and row.eligibility else []
    frame = pd.DataFrame(
        {"step": [one["step"] for one in steps], "people": [int(one["people"]) for one in steps]}
    ).astype({"step": object, "people": "int64"})
    return frame.assign(lost=(-frame["people"].diff()).fillna(0).astype("int64"))
