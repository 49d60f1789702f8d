"""What the list of customers shows, kept in the address, so that it can be sent to a colleague."""

import json
from dataclasses import dataclass, field

import streamlit as st

from ma.analytics.catalogue import catalogue
from ma.analytics.customer_columns import COLUMNS, USUAL
from ma.analytics.customers import Search
from ma.analytics.search import LONGEST
from ma.errors import InvalidRule
from ma.rules.check import parse
from ma.rules.nodes import Group, Match, to_json
from ma.types import Channel
from ui.session import reading

# The parameters that make a view; beside them an address has `page`, `view` and `id`.
NAMES = ("q", "rule", "tag", "consent", "sort", "desc", "columns")
_SEEN = "customers-address"
_ROUND = "customers-round"


@dataclass(frozen=True)
class Shown:
    """What an address asks for, as far as it makes sense; `problems` says where it does not."""

    q: str
    rules: tuple[dict, ...]
    tag: str
    consent: tuple[str, ...]
    sort: str
    descending: bool
    columns: tuple[str, ...]
    problems: tuple[str, ...] = field(default=(), compare=False)

    @property
    def search(self) -> Search:
        """Whom it asks for."""
        return Search(self.q, together(self.rules), self.consent, self.tag)

    @property
    def export(self) -> dict[str, str | None]:
        """The same as parameters of the export."""
        rule = together(self.rules)
        return {
            "q": self.q or None,
            "rule": _text(rule) if rule else None,
            "tag": self.tag or None,
            "consent": ",".join(self.consent) or None,
            "sort": self.sort,
            "descending": "1" if self.descending else None,
            "columns": ",".join(self.columns),
        }


def together(rules: tuple[dict, ...]) -> dict | None:
    """Filters as one rule: all of them must hold."""
    if not rules:
        return None
    return rules[0] if len(rules) == 1 else {"all": list(rules)}


def _text(rule: dict) -> str:
    return json.dumps(rule, ensure_ascii=False, separators=(",", ":"))


def read() -> Shown:
    """What the address of this moment asks for."""
    asked, problems = st.query_params, []
    rules = _rules(asked.get("rule", ""), problems)
    sort = asked.get("sort", "name")
    if sort not in COLUMNS or not COLUMNS[sort].is_sortable:
        sort = "name"
    wanted = asked.get("columns", "").split(",")
    columns = tuple(name for name in COLUMNS if name in wanted) or USUAL
    return Shown(
        q=asked.get("q", "")[:LONGEST],
        rules=rules,
        tag=asked.get("tag", "")[:LONGEST],
        consent=tuple(name for name in Channel if name.value in asked.get("consent", "").split(",")),
        sort=sort,
        descending=asked["desc"] == "1" if "desc" in asked else COLUMNS[sort].highest_first,
        columns=columns,
        problems=tuple(problems),
    )


def _rules(text: str, problems: list[str]) -> tuple[dict, ...]:
    if not text:
        return ()
    try:
        with reading() as session:
            node = parse(text, catalogue(session))
    except InvalidRule as error:
        problems.append(f"The filter in this address is left out. {error}")
        return ()
    inner = node.rules if isinstance(node, Group) and node.match is Match.ALL else (node,)
    return tuple(to_json(rule) for rule in inner)


def keep(name: str, value: str) -> None:
    """Put a choice into the address; an empty one is taken out."""
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def keep_rules(rules: tuple[dict, ...]) -> None:
    """Put filters into the address."""
    rule = together(rules)
    keep("rule", _text(rule) if rule else "")


def keep_sort(sort: str, descending: bool) -> None:
    """Put the order into the address, the usual one without words."""
    keep("sort", "" if sort == "name" else sort)
    keep("desc", "" if descending is COLUMNS[sort].highest_first else str(int(descending)))


def first_page() -> None:
    """After another search or order, the old page number means nothing."""
    st.query_params.pop("page", None)


def everybody() -> None:
    """Take every search and filter off; columns and order stay."""
    for name in ("q", "rule", "tag", "consent", "page"):
        st.query_params.pop(name, None)


def params() -> dict[str, str]:
    """The parameters of this moment that make a view."""
    return {name: st.query_params[name] for name in NAMES if name in st.query_params}


def round_number() -> int:
    """A number for the widgets' keys; another one whenever the address was changed by anything but them.

    A widget that is on the screen keeps what it shows: an address from a saved view or a browser's Back
    button needs new ones.
    """
    if st.session_state.get(_SEEN) != params():
        st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
    return st.session_state.get(_ROUND, 0)


def seen() -> None:
    """The widgets and the address say the same now."""
    st.session_state[_SEEN] = params()
