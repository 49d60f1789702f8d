"""Whom a search finds: what people typed, filters by profile field, consent and tag."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, false, select
from sqlalchemy.orm import Session

from ma.analytics.catalogue import catalogue
from ma.analytics.workspace import workspace
from ma.db.planning import unindexed
from ma.db.search import Either, Every, Term, indexed
from ma.errors import InvalidInput
from ma.models import Customer, CustomerTag, Tag
from ma.rules import to_sql
from ma.rules.check import parse
from ma.text import fold, words
from ma.types import Channel

LONGEST = 200
# Beyond them the longest words decide, and a word's first letters: nobody can tell the difference.
MOST_WORDS = 12
LONGEST_WORD = 100
# With fewer digits behind a country code, the code is more than a way to write a number.
_ENOUGH_DIGITS = 6
_CONSENT = {channel: getattr(Customer, f"consent_{channel}") for channel in Channel}
# Numbers with blanks or signs between them, as in +49 (0)170 1234-567.
_NUMBER = re.compile(r"(?<!\S)\+?\(?[0-9][0-9 ()./-]*(?!\S)")


@dataclass(frozen=True)
class Search:
    """What a list of customers is narrowed to.

    `q`: what somebody typed. `rule`: a rule of the segments' language, as JSON. `consent`: channels that all
    must be allowed. `tag`: a tag's name.
    """

    q: str = ""
    rule: dict | str | None = None
    consent: tuple[str, ...] = ()
    tag: str = ""

    @property
    def is_everybody(self) -> bool:
        """Whether it narrows to nothing less than everybody."""
        return not (self.rule or self.consent or self.tag or terms(self.q).terms)


def found(session: Session, search: Search, *, as_of: datetime) -> Select:
    """A select of the ids of everybody whom a search finds; deleted customers never.

    Raises InvalidRule, and InvalidInput for an unknown channel.
    """
    words = terms(search.q)
    conditions = filters(session, search, as_of=as_of)
    return select(Customer.id).where(present(), *([indexed(words)] if words.terms else []), *conditions)


def present() -> ColumnElement:
    """Customers who were not deleted, tested where the row is read and not looked up."""
    return unindexed(Customer.deleted_at).is_(None)


def filters(session: Session, search: Search, *, as_of: datetime) -> list[ColumnElement]:
    """The conditions of a search beside the words."""
    if unknown := [name for name in search.consent if name not in _CONSENT]:
        raise InvalidInput({"consent": f"Unknown channel '{unknown[0]}'. Use one of {', '.join(_CONSENT)}."})
    conditions = [_CONSENT[Channel(name)].is_(True) for name in search.consent]
    if search.tag:
        conditions.append(_tagged(search.tag))
    if search.rule:
        known, timezone = catalogue(session), workspace(session).timezone
        rule = parse(search.rule, known)
        conditions.append(to_sql.chosen(rule, as_of=as_of, timezone=timezone, catalogue=known))
    return conditions


def _tagged(name: str) -> ColumnElement:
    if not name.isprintable():
        return false()
    tag_id = select(Tag.id).where(Tag.name_folded == fold(name)).scalar_subquery()
    return Customer.id.in_(select(CustomerTag.customer_id).where(CustomerTag.tag_id == tag_id))


def terms(q: str) -> Every:
    """What somebody typed, as beginnings of words that all must be found, the longest first.

    A phone number is found however it is written: in groups or in one, with or without its country code and
    the zeros in front.
    """
    # A character that no database stores parts words like a blank.
    text = "".join(c if c.isprintable() else " " for c in q[:LONGEST])
    numbers = [found.group() for found in _NUMBER.finditer(text) if len(_groups(found.group())) > 0]
    rest = _NUMBER.sub(" ", text)
    plain = sorted({word[:LONGEST_WORD] for word in words(rest)}, key=lambda word: (-len(word), word))
    # Whoever has a word that begins with "anna" has one that begins with "an".
    needed = [
        word for i, word in enumerate(plain) if not any(longer.startswith(word) for longer in plain[:i])
    ]
    written = [term for number in dict.fromkeys(numbers) if (term := _number(number)) is not None]
    return Every((*written, *map(_word, needed))[:MOST_WORDS])


def _groups(number: str) -> list[str]:
    return re.findall("[0-9]+", number)


def _word(word: str) -> Term:
    bare = word.lstrip("0")
    return Either((word, bare)) if bare and bare != word else word


def _number(text: str) -> Term | None:
    """One number in all the ways it may be stored; None where it says nothing."""
    international = text.startswith(("+", "00", "(+", "(00"))
    # The zero of +49 (0)170 is dialled at home only.
    groups = _groups(text.replace("(0)", " ") if international else text)
    ways = [_apart(groups), _together(groups)]
    if international and len(groups) > 1:
        ways += [_apart(groups[1:]), _together(groups[1:])] if _digits(groups[1:]) >= _ENOUGH_DIGITS else []
    elif international:
        digits = groups[0].lstrip("0")
        ways += [digits[code:] for code in (1, 2, 3) if len(digits) - code >= _ENOUGH_DIGITS]
    flat = [inner for way in ways if way for inner in (way.terms if isinstance(way, Either) else (way,))]
    ways = list(dict.fromkeys(flat))
    return (ways[0] if len(ways) == 1 else Either(tuple(ways))) if ways else None


def _apart(groups: list[str]) -> Term | None:
    said = [_word(group[:LONGEST_WORD]) for group in groups if group.strip("0") or len(groups) == 1]
    return (said[0] if len(said) == 1 else Every(tuple(said[:MOST_WORDS]))) if said else None


def _together(groups: list[str]) -> str | None:
    return "".join(groups).lstrip("0")[:LONGEST_WORD] or None


def _digits(groups: list[str]) -> int:
    return len("".join(groups).lstrip("0"))
