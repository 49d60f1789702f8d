"""Replays that were worked out already."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from ma.services import replays
from ma.services.replays import Replay
from ui.kept import kept
from ui.session import reading


def replayed(campaign: Mapping, changes: Mapping, text: str, as_of: datetime) -> Replay:
    """A replay, kept without its people one by one: they may be a million."""

    def work() -> Replay:
        with reading() as session:
            found = replays.replay(session, campaign["id"], changes, as_of=as_of)
        return replace(found, people=found.people.iloc[:0].copy())

    return kept(("replay", campaign["id"], text), as_of, work, words="Running it again …").value
