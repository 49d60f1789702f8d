"""What a report says, kept for everybody until something changes or the hour ends."""

from datetime import datetime

from ma.report.findings import Findings, find
from ui.kept import kept
from ui.report_choice import Choice
from ui.session import reading

# What is found faster is found anew each time, as of that moment.
_QUICK_SECONDS = 0.5


def findings(choice: Choice, as_of: datetime) -> Findings:
    """The findings on the campaigns chosen; `as_of` in them says when they were worked out."""

    def work() -> Findings:
        with reading() as session:
            return find(session, as_of=as_of, **choice.arguments())

    words = "Putting the figures together …"
    return kept(("report", choice), as_of, work, words=words, quick=_QUICK_SECONDS).value
