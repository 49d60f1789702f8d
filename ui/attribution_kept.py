"""Journeys that were read already."""

from datetime import datetime

from ma.analytics import journeys as analytics
from ma.analytics.journeys import Journeys
from ma.analytics.touches import Question
from ui.kept import kept
from ui.session import reading


def journeys(question: Question, as_of: datetime) -> Journeys:
    """The journeys of a question: different paths, nobody by name."""

    def work() -> Journeys:
        with reading() as session:
            return analytics.read_journeys(session, question, as_of=as_of)

    words = "Following the messages before each conversion …"
    return kept(("journeys", question), as_of, work, words=words).value
