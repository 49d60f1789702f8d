"""What next best actions stand on, and how sure their sum is, worked out already."""

from datetime import datetime
from functools import lru_cache

import pandas as pd
import streamlit as st

from ma.analytics import category_affinity
from ma.services import next_action_outlook, next_actions
from ma.services.next_action_outlook import Outlook
from ma.services.next_actions import Ground
from ui.kept import kept
from ui.session import database, reading


def ground(model_version: int, scored_at: datetime) -> Ground:
    """What the actions of single customers stand on, as of a scoring: on a profile nobody waits for more.

    It is worked out once for each scoring, whatever changes meanwhile.
    """
    return _ground(str(database().engine.url), model_version, scored_at)


@lru_cache(maxsize=4)
def _ground(url: str, model_version: int, scored_at: datetime) -> Ground:
    with st.spinner("Reading what messages bring …", show_time=True), reading() as session:
        return next_actions.ground(session, at=scored_at)


def outlook(as_of: datetime) -> Outlook:
    """How sure the sum of all actions is."""

    def work() -> Outlook:
        with reading() as session:
            return next_action_outlook.outlook(session, at=as_of)

    return kept(("next action outlook",), as_of, work, words="Working out how sure that is …").value


def affinity(by: str, as_of: datetime) -> pd.DataFrame:
    """What is bought together."""

    def work() -> pd.DataFrame:
        with reading() as session:
            return category_affinity.affinity(session, as_of=as_of, by=by)

    return kept(("affinity", by), as_of, work, words="Looking what is bought together …").value
