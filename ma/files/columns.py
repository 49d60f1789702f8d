"""Which column of a file is which field: suggested by the likeness of names, to be corrected by a person."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from ma.text import fold_accents

# What a pair of names must at least have in common to be suggested (0-1).
_ENOUGH = 0.82
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_WORD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Target:
    """A field that a column can fill. `kind`: text, date, moment, amount, number, yes_no or country."""

    name: str
    label: str
    aliases: tuple[str, ...] = ()
    required: bool = False
    kind: str = "text"


def suggest(headers: Sequence[str], targets: Sequence[Target]) -> dict[str, str]:
    """Target name -> header, best pairs first, each header and each target at most once.

    Equal names (without case, accents, blanks and punctuation) go before aliases, those before likeness.
    """
    pairs = []
    for place, target in enumerate(targets):
        for position, header in enumerate(headers):
            score = _score(header, target)
            if score >= _ENOUGH:
                pairs.append((-score, place, position))
    found: dict[str, str] = {}
    for _, place, position in sorted(pairs):
        name, header = targets[place].name, headers[position]
        if name not in found and header not in found.values():
            found[name] = header
    return {target.name: found[target.name] for target in targets if target.name in found}


def _score(header: str, target: Target) -> float:
    seen = _plain(header)
    if not seen:
        return 0.0
    own = [_plain(target.name), _plain(target.label)]
    if seen in own:
        return 1.0
    others = [_plain(alias) for alias in target.aliases]
    if seen in others:
        # The first alias is the likeliest.
        return 0.99 - 0.001 * others.index(seen)
    return (
        max((SequenceMatcher(None, seen, name).ratio() for name in own + others if name), default=0.0) * 0.95
    )


def _plain(name: str) -> str:
    """ "Customer ID", "customer_id" and "CustomerID" are one name."""
    parted = _WORD_ENDS.sub(" ", name)
    without_unit = re.sub(r"\((utc|minor)\)$", "", fold_accents(parted))
    return _NO_WORD.sub("", without_unit)
