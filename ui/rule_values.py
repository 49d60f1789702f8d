"""The right widget for a value: what stands beside an operator, and the periods of events."""

from collections.abc import Callable
from datetime import date

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ma.money import amount, digits, symbol
from ma.rules.fields import Field, Kind
from ma.rules.limits import FIRST_DAY, LAST_DAY, LONGEST, MAX_TEXT
from ma.rules.nodes import Unit
from ma.rules.operators import NUMBERS, OPERATORS, Operand
from ma.text import significant
from ui import rule_changes, rule_choices, rule_numbers, rule_tree
from ui.rule_choices import Choices
from ui.text import literal

# Beyond it a browser's numbers are no longer exact.
_SAFE = 2**53 - 1
# In pixels: a day with its year, month, day and the two buttons beside it.
_DAY_WIDTH = 190
_WIDEST = 290
_TYPED = (Kind.TEXT, Kind.CODE, Kind.LIST)
# Periods in words; the last of the first kind asks for the number and the unit.
PERIODS = {
    "ever": "at any time",
    **{preset: f"in the last {preset}s" for preset in rule_tree.PRESETS},
    "last": "in the last …",
    "since": "since …",
    "until": "until …",
    "between": "between …",
}


def draw_value(node: dict, currency: str) -> None:
    """Draw what a condition compares with."""
    field, operand = rule_tree.field_of(node), OPERATORS[node["operator"]].operand
    match operand:
        case Operand.NOTHING:
            st.space("stretch")
        case Operand.WINDOW:
            _draw_window(node)
        case Operand.MANY:
            with _together(node, "values"):
                _draw_many(node, field, currency)
                _draw_spread(node, field, currency)
        case Operand.RANGE:
            with _together(node, "from"):
                _draw_one(node, field, currency, "From", place=0)
            with _together(node, "to"):
                st.markdown(":gray[and]", width="content")
                _draw_one(node, field, currency, "to", place=1)
                _draw_spread(node, field, currency)
        case _:
            with _together(node, "value"):
                _draw_one(node, field, currency, "Value")
                _draw_spread(node, field, currency)


def _together(node: dict, part: str) -> DeltaGenerator:
    """A value with the sign before it and the button after it: they stand in one line, however narrow."""
    return st.container(
        horizontal=True,
        vertical_alignment="center",
        gap="xsmall",
        width="stretch" if node["leaf"] == "field" else "content",
        key=f"rule-together-{part}-{node['id']}",
    )


def wide_enough(words: str, least: int) -> int:
    """The width in pixels of a box in which the words can be read, up to what a phone can show."""
    return max(least, min(56 + round(6.4 * len(words)), _WIDEST))


def _draw_window(node: dict) -> None:
    _number_of_units(
        node, f"count-{node['unit']}", node["value"], node["unit"], rule_changes.set_value, (_same,)
    )
    key = rule_tree.key(node, "unit")
    st.session_state.setdefault(key, node["unit"])
    _units(key, rule_changes.set_unit, (node["id"], key))
    st.space("stretch")


def _number_of_units(node: dict, part: str, value: int, unit: str, change: Callable, more: tuple) -> None:
    key = rule_tree.key(node, part)
    st.session_state.setdefault(key, value)
    st.number_input(
        "How many",
        min_value=1,
        max_value=LONGEST[Unit(unit)],
        step=1,
        value=None,
        key=key,
        width=100,
        label_visibility="collapsed",
        on_change=change,
        args=(node["id"], key, *more),
    )


def _units(key: str, change: Callable, args: tuple) -> None:
    st.selectbox(
        "Unit",
        [unit.value for unit in Unit],
        format_func=lambda unit: f"{unit}s",
        key=key,
        width=100,
        label_visibility="collapsed",
        on_change=change,
        args=args,
    )


# Periods


def draw_period(node: dict) -> None:
    """Draw when it is to have happened."""
    period, key = node["within"], rule_tree.key(node, "period")
    st.session_state.setdefault(key, period["how"] if period["how"] in PERIODS else "last")
    st.selectbox(
        "When",
        list(PERIODS),
        format_func=PERIODS.get,
        key=key,
        width=wide_enough(PERIODS[st.session_state[key]], 140),
        label_visibility="collapsed",
        on_change=rule_changes.set_period,
        args=(node["id"], key, "how"),
    )
    match period["how"]:
        case "last":
            with _together(node, "last"):
                _draw_last(node)
        case "since":
            _period_day(node, "first", "First day")
        case "until":
            _period_day(node, "until", "Last day")
        case "between":
            _period_day(node, "first", "First day")
            with _together(node, "until"):
                st.markdown(":gray[and]", width="content")
                _period_day(node, "until", "Last day")


def _draw_last(node: dict) -> None:
    count, unit = node["within"]["last"], node["within"]["unit"]
    _number_of_units(node, f"last-{unit}", count, unit, rule_changes.set_period, ("last",))
    key = rule_tree.key(node, "last-unit")
    st.session_state.setdefault(key, unit)
    _units(key, rule_changes.set_period, (node["id"], key, "unit"))


def _period_day(node: dict, part: str, label: str) -> None:
    key, value = rule_tree.key(node, f"period-{part}"), node["within"][part]
    st.session_state.setdefault(key, date.fromisoformat(value) if value else None)
    _day(label, key, rule_changes.set_period, (node["id"], key, part, _iso), width=_DAY_WIDTH)


def _day(label: str, key: str, change: Callable, args: tuple, width: int | str = "stretch") -> None:
    st.date_input(
        label,
        value=None,
        min_value=FIRST_DAY,
        max_value=LAST_DAY,
        format="YYYY-MM-DD",
        key=key,
        width=width,
        label_visibility="collapsed",
        on_change=change,
        args=args,
    )


# Values


def _draw_many(node: dict, field: Field, currency: str) -> None:
    """A list: chosen from the data where they offer values, else typed value by value."""
    key = rule_tree.key(node, f"many-{node['field' if 'field' in node else 'measure']}")
    offered = rule_choices.choices(field, node.get("of", ""))
    as_text = not offered.words and field.kind in NUMBERS
    typed = {_typed(value, field, currency): value for value in node["value"]} if as_text else {}
    values = list(typed) if as_text else node["value"]
    st.session_state.setdefault(key, values)
    st.multiselect(
        "Values",
        [*offered.words, *(value for value in values if value not in offered.words)],
        format_func=offered.named,
        key=key,
        accept_new_options=not offered.words or field.kind in _TYPED,
        placeholder=_invitation(offered, field, "values", "Type a value, then Enter"),
        label_visibility="collapsed",
        on_change=rule_changes.set_value,
        args=(
            node["id"],
            key,
            lambda chosen: [_untyped(value, field, currency) if as_text else value for value in chosen],
        ),
    )


def _invitation(offered: Choices, field: Field, what: str, to_type: str) -> str:
    """What an empty box says: of texts, other values than those offered can be typed."""
    if not offered.words:
        return to_type
    return f"Choose or type {what}" if field.kind in _TYPED else f"Choose {what}"


def _draw_one(node: dict, field: Field, currency: str, label: str, place: int | None = None) -> None:
    value = node["value"] if place is None else node["value"][place]
    key = rule_tree.key(node, f"value-{field.name}-{place}")
    args = (node["id"], key)
    offered = (
        rule_choices.choices(field, node.get("of", ""))
        if node["operator"] not in rule_choices.PARTS
        else rule_choices.NONE
    )
    match field.kind:
        case Kind.YES_NO:
            _draw_yes_no(label, key, value, args)
        case Kind.DATE | Kind.MOMENT:
            st.session_state.setdefault(key, date.fromisoformat(value) if value else None)
            _day(label, key, rule_changes.set_value, (*args, _iso, place))
        case Kind.CHOICE | Kind.TEXT | Kind.CODE if offered.words or field.kind is Kind.CHOICE:
            _draw_choice(label, key, value, offered, field, (*args, _same, place))
        case Kind.TEXT | Kind.CODE:
            st.session_state.setdefault(key, value or "")
            st.text_input(
                label,
                max_chars=MAX_TEXT,
                placeholder="Type a text",
                key=f"{key}",
                label_visibility="collapsed",
                on_change=rule_changes.set_value,
                args=(*args, _same, place),
            )
        case _ if value is not None and abs(value) > _SAFE:
            st.text_input(label, f"{value:,}", disabled=True, label_visibility="collapsed", key=f"{key}-huge")
        case _:
            width = 112 if node["leaf"] == "event" else "stretch"
            _draw_number(label, key, value, field, currency, args, place, width)


def _draw_yes_no(label: str, key: str, value: bool, args: tuple) -> None:
    st.session_state.setdefault(key, value)
    st.segmented_control(
        label,
        options=[True, False],
        format_func=lambda yes: "Yes" if yes else "No",
        required=True,
        key=key,
        label_visibility="collapsed",
        on_change=rule_changes.set_value,
        args=(*args, bool),
    )
    st.space("stretch")


def _draw_choice(label: str, key: str, value: str, offered: Choices, field: Field, args: tuple) -> None:
    key = f"{key}-choice"
    st.session_state.setdefault(key, value)
    st.selectbox(
        label,
        [*offered.words, *([value] if value and value not in offered.words else [])],
        index=None,
        format_func=offered.named,
        accept_new_options=not offered.words or field.kind in _TYPED,
        placeholder=_invitation(offered, field, "a value", "Type a value"),
        key=key,
        label_visibility="collapsed",
        on_change=rule_changes.set_value,
        args=(args[0], key, *args[2:]),
    )


def _draw_number(
    label: str,
    key: str,
    value: float | None,
    field: Field,
    currency: str,
    args: tuple,
    place: int | None,
    width: int | str,
) -> None:
    unit = _unit(field, currency)
    whole = field.kind is not Kind.NUMBER and unit == 1
    number = int if whole else float
    st.session_state.setdefault(key, None if value is None else number(value / unit if unit > 1 else value))
    if field.kind is Kind.MONEY:
        st.markdown(f":gray[{literal(symbol(currency).strip())}]", width="content")
    st.number_input(
        label,
        value=None,
        # Not the field's own bounds: the browser keeps a number beyond them to itself, as if none were typed.
        min_value=number(-_SAFE // unit),
        max_value=number(_SAFE // unit),
        step=number(10 if field.kind is Kind.MONEY else rule_numbers.step(field)),
        format=None if whole else ("%.2f" if field.kind is Kind.MONEY else "%g"),
        placeholder=f"Amount in {currency}" if field.kind is Kind.MONEY else rule_numbers.hint(field),
        key=key,
        width=width,
        label_visibility="collapsed",
        on_change=rule_changes.set_value,
        args=(*args, _to_number(field, unit), place),
    )


def _to_number(field: Field, unit: int) -> Callable:
    def change(value: float | None) -> float | int | None:
        if value is None:
            return None
        # Steps of 0.05 add up to 0.15000000000000002.
        return float(f"{value:.15g}") if field.kind is Kind.NUMBER else round(value * unit)

    return change


def _same(value):
    return value


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _typed(value: object, field: Field, currency: str) -> str:
    """A value of a typed list as the person writes it."""
    if field.kind is Kind.MONEY and not isinstance(value, str):
        places = digits(currency)
        return f"{value / 10**places:.{places}f}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _untyped(text: str, field: Field, currency: str) -> object:
    """The number that a person wrote; what is none stays text, and is then refused with the reason."""
    try:
        number = float(text.replace(",", "").strip())
        return number if field.kind is Kind.NUMBER else _exact(number * _unit(field, currency))
    except (ValueError, OverflowError):
        return text


def _unit(field: Field, currency: str) -> int:
    return 10 ** digits(currency) if field.kind is Kind.MONEY else 1


def _exact(number: float) -> float | int:
    return round(number) if abs(number - round(number)) < 1e-6 else number


# The real numbers beside the number that is asked for


def _draw_spread(node: dict, field: Field, currency: str) -> None:
    """A button that shows how the numbers really lie; read only when somebody asks."""
    if field.kind not in NUMBERS or node.get("of"):
        return
    shown = st.popover(
        "",
        icon=":material/bar_chart:",
        type="tertiary",
        help=f"{literal(field.about)} See how it lies among customers"
        if node["leaf"] == "field"
        else "How it lies among customers",
        key=rule_tree.key(node, f"spread-{field.name}"),
        on_change="rerun",
    )
    if not shown.open:
        return
    with shown, st.container(width=340, gap="small"):
        _spread_body(node, field, currency)


def _spread_body(node: dict, field: Field, currency: str) -> None:
    from ma.charts.spread import spread as chart
    from ui import picture

    found = rule_choices.spread(node)
    title = field.title
    if node["leaf"] == "event":
        event = rule_tree.catalogue().events[node["event"]]
        title = f"{field.title} of {event.plural}, all time"
    st.markdown(f"**{literal(title)}** :gray[customers]")
    if field.about:
        st.caption(literal(field.about))
    if found is None:
        st.caption("Nobody has one yet.")
        return
    money = currency if field.kind is Kind.MONEY else None
    picture.chart(
        chart(found.bins, currency=money, more=found.beyond > 0),
        key=rule_tree.key(node, "spread-chart"),
        file="customers-by-value",
    )
    half, tenth = (amount(x, currency) if money else significant(x) for x in (found.half, found.tenth))
    people = "customers" if found.exact else "customers, a random part of all"
    st.caption(
        f"Half have at least {literal(half)}, one in ten at least {literal(tenth)}. {found.known:,} {people}."
    )
