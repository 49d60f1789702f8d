"""Cohorts that were worked out already."""

from datetime import datetime

import pandas as pd

from ma.analytics import cohorts as analytics
from ui.cohort_choice import Choice
from ui.kept import kept
from ui.session import reading


def cohorts(choice: Choice, as_of: datetime) -> pd.DataFrame:
    """All cohorts of the customers chosen: a few thousand rows at most."""

    def work() -> pd.DataFrame:
        chosen = {name: value for name, value in choice.filters.items() if value is not None}
        with reading() as session:
            return analytics.cohorts(session, as_of=as_of, **chosen)

    key = ("cohorts", choice.field, choice.value, choice.segment_id)
    return kept(key, as_of, work, words="Counting who came back …").value
