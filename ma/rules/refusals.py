"""What the reading of rules has in common: keys and names that must be known, and words for what is wrong."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from ma.errors import InvalidRule
from ma.rules.fields import LARGEST
from ma.rules.limits import MAX_RULES, MAX_VALUES

# Comparing a longer name with all others would only cost time.
_LONGEST_NAME = 100


@dataclass
class Spent:
    """How much of the limits a rule has used."""

    depth: int = 0
    rules: int = 0
    values: int = 0

    def rule(self, path: str) -> None:
        """One more condition; refused if it is one too many."""
        self.rules += 1
        if self.rules > MAX_RULES:
            raise InvalidRule(
                f"There are more than {MAX_RULES} conditions",
                path=path,
                remedy="Split the rule into several segments.",
            )

    def value(self, count: int, path: str) -> None:
        """So many more values; refused if they are too many."""
        self.values += count
        if self.values > MAX_VALUES:
            raise InvalidRule(
                f"There are more than {MAX_VALUES:,} values in the rule",
                path=path,
                remedy="Use fewer, or split the rule into several segments.",
            )


class Object(dict):
    """A JSON object that remembers a key written twice."""

    twice: str | None = None


def require_once(data: dict, path: str) -> None:
    """Refuse an object in which a key stands twice: JSON itself would keep one of them in silence."""
    if twice := getattr(data, "twice", None):
        raise InvalidRule(f"The key {shown(twice)} stands twice", path=path, remedy="Keep one of them.")


def require_object(data: object, path: str, *, remedy: str) -> dict:
    """An object without doubled keys, and nothing else."""
    if not isinstance(data, dict):
        raise InvalidRule(f"Expected an object but found {shown(data)}", path=path, remedy=remedy)
    require_once(data, path)
    return data


def require_keys(data: dict, known: Iterable[str], path: str, *, why_not: Mapping[str, str] = {}) -> None:
    """Refuse every other key. `why_not` says of a key that exists elsewhere why it is out of place here."""
    known = list(known)
    for key in data:
        if key not in known:
            raise unknown("key", key, known, path, reason=why_not.get(key, "") if _is_text(key) else "")


def named(what: str, name: object, known: Mapping, path: str, *, labels: Mapping[str, str] = {}):
    """What is known by a name. `labels` (label -> name): what people may have written in its place."""
    if not isinstance(name, str):
        raise InvalidRule(
            f"The {what} must be a name, not {shown(name)}",
            path=path,
            remedy=f"Write one of {listed(known)} in quotes." if known else "",
        )
    if name not in known:
        raise unknown(what, name, known, path, labels=labels)
    return known[name]


def unknown(
    what: str,
    name: object,
    known: Iterable[str],
    path: str,
    *,
    reason: str = "",
    labels: Mapping[str, str] = {},
) -> InvalidRule:
    """The refusal of a name that does not exist, with the one that was probably meant."""
    known = list(known)
    close = _closest(name, known, labels) if _is_text(name) else None
    if reason:
        remedy = f"{reason} Leave it out."
    elif close is not None:
        remedy = f"Did you mean {shown(close)}?"
    else:
        remedy = f"Use one of {listed(known)}."
    return InvalidRule(f"Unknown {what} {shown(name)}", path=path, remedy=remedy)


def _closest(name: str, known: list[str], labels: Mapping[str, str]) -> str | None:
    name = name[:_LONGEST_NAME].lower()
    small = {label.lower(): other for label, other in labels.items()}
    if name in small:
        return small[name]
    if close := get_close_matches(name, known, n=1, cutoff=0.6):
        return close[0]
    if close := get_close_matches(name, small, n=1, cutoff=0.8):
        return small[close[0]]
    return None


def listed(names: Iterable[str]) -> str:
    """The first names of a list, as they stand in a remedy."""
    names = [visible(name) for name in names]
    return ", ".join(names if len(names) <= 12 else [*names[:12], "…"])


def join(path: str, key: str) -> str:
    """The place of a key inside another place."""
    return f"{path}.{key}" if path else key


def visible(text: str, longest: int = 40) -> str:
    """A text as it can stand in a message: nothing that breaks the line or cannot be seen, not too long."""
    shown = "".join(c if c.isprintable() else "?" for c in text[:longest])
    return shown + ("…" if len(text) > longest else "")


def shown(value: object) -> str:
    """Any value in a few words."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{visible(value)}'"
        case int() | float():
            return str(value) if not isinstance(value, int) or abs(value) <= LARGEST else "an enormous number"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return f"a {type(value).__name__}"


def _is_text(value: object) -> bool:
    return isinstance(value, str)
