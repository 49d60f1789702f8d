"""How a column is compared with the values of a rule, by the kind of fact it holds."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, and_, extract, or_, type_coerce

from ma.clock import day_start
from ma.db.letters import ascii_lower
from ma.db.planning import unindexed
from ma.rules.fields import Kind
from ma.text import fold_part


def compared(column: ColumnElement, kind: Kind, *, today: date, timezone: str):
    """A column as the operators of its kind compare it; NULL gives NULL."""
    match kind:
        case Kind.TEXT | Kind.LIST:
            return Text(column)
        case Kind.CODE:
            return Code(ascii_lower(column))
        case Kind.CHOICE | Kind.YES_NO | Kind.NUMBER:
            return Values(column)
        case Kind.COUNT | Kind.MONEY:
            # A small integer column must still be compared with any 64-bit integer.
            return Values(type_coerce(unindexed(column), BigInteger))
        case Kind.AGE:
            return Age(column, today)
        case Kind.DATE:
            return Days(column, today)
        case Kind.MOMENT:
            return Moments(unindexed(column), today, timezone)


@dataclass(frozen=True)
class Values:
    """A column compared with values as they are."""

    column: ColumnElement

    def one_of(self, values: tuple) -> ColumnElement:
        return self.column == values[0] if len(values) == 1 else self.column.in_(values)

    def above(self, value) -> ColumnElement:
        return self.column > value

    def at_least(self, value) -> ColumnElement:
        return self.column >= value

    def below(self, value) -> ColumnElement:
        return self.column < value

    def at_most(self, value) -> ColumnElement:
        return self.column <= value

    def within(self, low, high) -> ColumnElement:
        return and_(self.at_least(low), self.at_most(high))


@dataclass(frozen=True)
class Text:
    """A folded column, compared with folded text."""

    column: ColumnElement

    def one_of(self, values: tuple[str, ...]) -> ColumnElement:
        return Values(self.column).one_of(tuple(self.fold(value) for value in values))

    def contains(self, value: str) -> ColumnElement:
        return self.column.contains(self.fold_part(value), autoescape=True)

    def starts_with(self, value: str) -> ColumnElement:
        return self.column.startswith(self.fold_part(value), autoescape=True)

    def ends_with(self, value: str) -> ColumnElement:
        return self.column.endswith(self.fold_part(value), autoescape=True)

    @classmethod
    def fold(cls, value: str) -> str:
        return cls.fold_part(value).strip()

    @staticmethod
    def fold_part(value: str) -> str:
        return fold_part(value)


class Code(Text):
    """A column with its capital letters A-Z made small, compared with text treated alike."""

    @staticmethod
    def fold_part(value: str) -> str:
        return "".join(c.lower() if c.isascii() else c for c in value)


@dataclass(frozen=True)
class Days(Values):
    """A date column, compared with days; both ends of a range belong to it."""

    today: date

    def comes_round(self, first: date, last: date) -> ColumnElement:
        """Whether the month and day occur in a period; 29 February falls on 1 March in other years."""
        if (last - first).days >= 365:
            return self.column == self.column
        month_day = extract("month", self.column) * 100 + extract("day", self.column)
        start, end = first.month * 100 + first.day, last.month * 100 + last.day
        if start == 301 and (first - timedelta(days=1)).day == 28:
            start = 229
        if first.year == last.year:
            return month_day.between(start, end)
        return or_(month_day >= start, month_day <= end)


@dataclass(frozen=True)
class Moments(Values):
    """A column of instants, compared by their calendar day in a time zone."""

    today: date
    timezone: str

    def above(self, value: date) -> ColumnElement:
        return self.at_least(value + timedelta(days=1))

    def at_least(self, value: date) -> ColumnElement:
        return self.column >= day_start(value, self.timezone)

    def below(self, value: date) -> ColumnElement:
        return self.column < day_start(value, self.timezone)

    def at_most(self, value: date) -> ColumnElement:
        return self.below(value + timedelta(days=1))


@dataclass(frozen=True)
class Age:
    """A column of birth dates, compared by age on a day: whoever is older was born earlier."""

    column: ColumnElement
    today: date

    def at_least(self, years: int) -> ColumnElement:
        return self.column <= self._born_by(years)

    def above(self, years: int) -> ColumnElement:
        return self.at_least(years + 1)

    def below(self, years: int) -> ColumnElement:
        return self.column > self._born_by(years)

    def at_most(self, years: int) -> ColumnElement:
        return self.below(years + 1)

    def within(self, low: int, high: int) -> ColumnElement:
        return and_(self.at_least(low), self.at_most(high))

    def one_of(self, ages: tuple[int, ...]) -> ColumnElement:
        return or_(*(self.within(low, high) for low, high in _runs(ages)))

    def _born_by(self, years: int) -> date:
        """The last birth date of those who have reached an age."""
        year = self.today.year - years
        try:
            return self.today.replace(year=year)
        except ValueError:  # today is 29 February and that year had none
            return date(year, 2, 28)


@dataclass(frozen=True)
class DaysSince:
    """An instant, compared by how many calendar days ago it was: the longer ago, the earlier."""

    column: ColumnElement
    today: date
    timezone: str

    def at_least(self, days: int) -> ColumnElement:
        return self.column < self._end(days)

    def above(self, days: int) -> ColumnElement:
        return self.at_least(days + 1)

    def below(self, days: int) -> ColumnElement:
        return self.column >= self._end(days)

    def at_most(self, days: int) -> ColumnElement:
        return self.below(days + 1)

    def within(self, low: int, high: int) -> ColumnElement:
        return and_(self.at_least(low), self.at_most(high))

    def one_of(self, numbers: tuple[int, ...]) -> ColumnElement:
        return or_(*(self.within(low, high) for low, high in _runs(numbers)))

    def _end(self, days: int) -> datetime:
        """The end of the day that lies so many days ago."""
        return day_start(self.today - timedelta(days=days - 1), self.timezone)


@dataclass(frozen=True)
class Average:
    """A sum and a count, compared by their quotient, exactly: nothing is divided."""

    total: ColumnElement
    count: ColumnElement

    def one_of(self, values: tuple[int, ...]) -> ColumnElement:
        return or_(*(self.total == self.count * value for value in values))

    def above(self, value: int) -> ColumnElement:
        return self.total > self.count * value

    def at_least(self, value: int) -> ColumnElement:
        return self.total >= self.count * value

    def below(self, value: int) -> ColumnElement:
        return self.total < self.count * value

    def at_most(self, value: int) -> ColumnElement:
        return self.total <= self.count * value

    def within(self, low: int, high: int) -> ColumnElement:
        return and_(self.at_least(low), self.at_most(high))


def _runs(numbers: tuple[int, ...]) -> list[tuple[int, int]]:
    """The runs of consecutive numbers: (3, 4, 5, 9) has (3, 5) and (9, 9). Keeps the SQL short."""
    runs: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs
