"""The days of a report as people write them: the first and the last one, both included."""

from datetime import date, timedelta

from ma.errors import InvalidInput, InvalidPeriod

# A time zone's shift must not lead out of the calendar.
EARLIEST, LATEST = date(1900, 1, 1), date(2199, 12, 30)


def days(first: str | None, last: str | None) -> tuple[date | None, date | None]:
    """[start, end) of two days written as 2026-03-31; None or nothing leaves that end open.

    Raises InvalidInput for what is no such day, InvalidPeriod if the first lies after the last.
    """
    found, problems = {}, {}
    for name, text in (("from", first), ("to", last)):
        try:
            found[name] = date.fromisoformat(text) if text else None
            if found[name] and not EARLIEST <= found[name] <= LATEST:
                raise ValueError(text)
        except ValueError:
            problems[name] = f"'{text}' is no day to begin or end with. Write it as 2026-03-31."
    if problems:
        raise InvalidInput(problems)
    start, end = found["from"], found["to"] and found["to"] + timedelta(days=1)
    if start and end and start >= end:
        raise InvalidPeriod(f"The first day, {start}, lies after the last, {last}. Exchange them.")
    return start, end
