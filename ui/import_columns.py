"""The second step of an import: what is in the file, which column is which field, how it is read."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from ma.files.columns import Target
from ma.files.dates import all_date_formats
from ma.files.reading import Sheet
from ma.files.values import date_formats, number_format
from ma.services import import_suggestions, imports
from ma.services.import_campaigns import LONGEST_WINDOW_DAYS
from ma.types import Channel
from ui.session import reading
from ui.text import literal

KINDS = {
    "customers": ("Customers", ":material/group:", "A person in each row"),
    "purchases": ("Purchases", ":material/shopping_cart:", "A line of an order in each row"),
    "events": ("Events", ":material/ads_click:", "A visit or another action in each row"),
    "consent": ("Consent", ":material/verified_user:", "What a person allows or refuses in each row"),
    "outcomes": ("Campaign results", ":material/campaign:", "A recipient of a real campaign in each row"),
    "totals": ("Platform totals", ":material/functions:", "A campaign and its unique figures in each row"),
}
KEYS = {
    "external_id": "External id",
    "email": "E-mail address",
    "phone": "Phone number",
    "order_key": "Order number",
    "event_key": "Event number",
    "whole event": "The whole event: who, what and when",
    "campaign_key": "The campaign's id on the platform",
    "name": "The campaign's name and time of sending",
    "subject": "The subject and time of sending",
}
# More than these are not offered one by one; who needs one leaves the others out of the file.
_SHOWN = 80
_LAYOUT = [3, 4, 4]


@dataclass(frozen=True)
class Choices:
    """All that a dry run depends on; equal choices give an equal plan."""

    file: str
    kind: str
    mapping: tuple[tuple[str, str], ...]
    key: str
    options: imports.Options


def choose(sheet: Sheet) -> Choices:
    """Kind, columns and options as they stand, drawn to be corrected."""
    # Another way of reading has other columns: its widgets begin anew.
    version = f"{sheet.sha256[:12]}-{sheet.encoding}-{sheet.separator}-{sheet.sheet}"
    with reading() as session:
        likely = (
            import_suggestions.likely_kind(session, sheet)
            if f"import-kind-{version}" not in st.session_state
            else None
        )
        kind = st.segmented_control(
            "What is in it?",
            list(KINDS),
            format_func=lambda name: f"{KINDS[name][1]} {KINDS[name][0]}",
            default=likely,
            required=True,
            key=f"import-kind-{version}",
        )
        targets = imports.targets(kind, session)
        found = import_suggestions.suggestion(session, kind, sheet)
    place = f"{version}-{kind}"
    mapping = _mapping(sheet, kind, targets, found, place)
    key, options = _options(sheet, kind, targets, mapping, place)
    return Choices(place, kind, tuple(sorted(mapping.items())), key, options)


def _mapping(
    sheet: Sheet, kind: str, targets: tuple[Target, ...], found: import_suggestions.Suggestion, place: str
) -> dict[str, str]:
    labels = {target.name: target.label + (" (needed)" if target.required else "") for target in targets}
    field_of = {header: name for name, header in found.mapping.items()}
    headers = sorted(sheet.frame.columns, key=lambda header: header not in field_of)[:_SHOWN]
    headers = [header for header in sheet.frame.columns if header in set(headers)]
    said = "as you did last time with such a file" if found.remembered else "by their names"
    st.markdown(f"**Columns** :gray[– each with examples and the field it becomes, matched {said}]")
    taken: dict[str, str] = {}
    twice = []
    with st.container(border=True, key="import-columns", gap="xsmall"):
        for position, header in enumerate(headers):
            name = _column(sheet, header, labels, field_of.get(header), f"import-column-{position}-{place}")
            if name and name in taken:
                twice.append(labels[name])
            elif name:
                taken[name] = header
    if len(sheet.frame.columns) > _SHOWN:
        st.caption(f"{len(sheet.frame.columns) - _SHOWN} more columns are left out.")
    for label in dict.fromkeys(twice):
        st.warning(
            f"{literal(label)} is chosen for two columns; the first is read. Leave the other out.",
            icon=":material/warning:",
        )
    return taken


def _column(sheet: Sheet, header: str, labels: dict[str, str], suggested: str | None, key: str) -> str | None:
    """One column of the file: its name, what stands in it, and the field it becomes."""
    name, values, field = st.columns(_LAYOUT, vertical_alignment="center")
    name.markdown(f"**{literal(header)}**")
    # Plain text: Markdown makes links of addresses, escaped or not.
    values.text(_samples(sheet, header) or "empty")
    # A select box that begins with a choice cannot be emptied: leaving out is a choice as well.
    names = ["", *labels]
    chosen = field.selectbox(
        f"Field for {literal(header)}",
        names,
        index=names.index(suggested) if suggested in labels else 0,
        format_func=lambda target: labels[target] if target else "Leave out",
        label_visibility="collapsed",
        key=key,
    )
    return chosen or None


def _samples(sheet: Sheet, header: str) -> str:
    """The first three different values, shortened."""
    filled = sheet.frame[header].iloc[:5_000].dropna()
    texts = [str(text) for text in filled.drop_duplicates().iloc[:3]]
    return " · ".join(text[:32] + ("…" if len(text) > 32 else "") for text in texts)


def _options(
    sheet: Sheet, kind: str, targets: tuple[Target, ...], mapping: dict[str, str], place: str
) -> tuple[str, imports.Options]:
    kinds = {target.name: target.kind for target in targets}
    dates = [name for name in mapping if kinds[name] in ("date", "moment")]
    amounts = [name for name in mapping if kinds[name] in ("amount", "number")]
    keys = imports.keys(kind)
    key = import_suggestions.likely_key(kind, mapping)
    options: dict[str, object] = {}
    with st.grid(columns=3, min_column_width=230):
        if len(keys) > 1:
            key = st.selectbox(
                "Rows are matched by",
                keys,
                index=keys.index(key),
                format_func=KEYS.get,
                # Another mapping has another likely key.
                key=f"import-key-{place}-{key}",
                help="A row that matches a known one changes it; any other row is new.",
            )
        if dates:
            options["date_format"] = _date_format(sheet, mapping, dates, place)
        if amounts:
            options["decimal"] = _decimal(sheet, mapping, amounts, place)
    if kind in ("outcomes", "totals"):
        options |= _results(kind, mapping, place)
    if kind not in ("customers", "totals"):
        options["create_missing"] = st.checkbox(
            "Add customers who are not known yet",
            value=kind == "purchases",
            key=f"import-create-{place}",
            help="They get the id, e-mail address or phone number of the file and nothing else.",
        )
    if kind == "consent" or any(name.startswith("consent_") for name in mapping):
        options["record_consent"] = st.checkbox(
            "These people said yes themselves: a yes in the file allows messages",
            key=f"import-consent-{place}",
            help="Without it, a no in the file is recorded and a yes is not.",
        )
    return key, imports.Options(**options)


def _results(kind: str, mapping: dict[str, str], place: str) -> dict[str, object]:
    """What is said once for a whole file of real results, where no column says it."""
    chosen: dict[str, object] = {}
    with st.grid(columns=3, min_column_width=230):
        if kind == "outcomes" and "campaign" not in mapping:
            chosen["campaign"] = st.text_input(
                "Campaign of all rows",
                max_chars=100,
                key=f"import-campaign-{place}",
                help="A new one is added as imported. The name of a simulated one is refused.",
            )
        if "channel" not in mapping:
            chosen["channel"] = st.selectbox(
                "Channel of all rows",
                list(Channel),
                index=None,
                format_func=lambda channel: channel.label,
                placeholder="E-mail" if kind == "totals" else "That of the campaign, if it is here",
                key=f"import-channel-{place}",
            )
        if kind == "outcomes":
            chosen["window_days"] = st.number_input(
                "Days a conversion may take",
                min_value=1,
                max_value=LONGEST_WINDOW_DAYS,
                value=imports.Options.window_days,
                key=f"import-window-{place}",
                help="Of new campaigns. What came later is not counted as theirs.",
            )
    return chosen


def _date_format(sheet: Sheet, mapping: dict[str, str], dates: list[str], place: str) -> str | None:
    """The name of the format chosen by hand; None: each column as found. Says what was found, and doubts."""
    found = {name: _once(place, mapping[name], date_formats, sheet) for name in dates}
    first = next((formats[0] for formats in found.values() if formats), None)
    forms = {form.name: form for form in all_date_formats()}
    chosen = st.selectbox(
        "Dates are written as",
        list(forms),
        index=None,
        placeholder=f"As found: {first.label}" if first else "No date format fits: choose one",
        format_func=lambda name: f"{forms[name].label}, as in {forms[name].example}",
        key=f"import-dates-{place}",
    )
    for name, formats in found.items():
        if not chosen and formats and formats[0].ambiguous:
            st.warning(
                f"The dates in {literal(mapping[name])} could be {formats[0].label} or {formats[1].label}. "
                "Choose what is meant.",
                icon=":material/warning:",
            )
    return chosen


def _decimal(sheet: Sheet, mapping: dict[str, str], amounts: list[str], place: str) -> str | None:
    """The decimal sign chosen by hand; None: as each column looks. Says doubts."""
    found = {name: _once(place, mapping[name], number_format, sheet) for name in amounts}
    decimals = {form.decimal for form in found.values()}
    signs = {".": "1,234.50 (decimal point)", ",": "1.234,50 (decimal comma)"}
    chosen = st.selectbox(
        "Numbers are written as",
        list(signs),
        index=None,
        format_func=signs.get,
        placeholder=f"As found: {signs[decimals.pop()]}" if len(decimals) == 1 else "As found in each column",
        key=f"import-decimal-{place}",
    )
    for name, form in found.items():
        if not chosen and form.ambiguous:
            st.warning(
                f"The numbers in {literal(mapping[name])} could have decimal points or commas. "
                "Choose what is meant.",
                icon=":material/warning:",
            )
    return chosen


def _once(place: str, header: str, look: Callable, sheet: Sheet):
    """What a look at a whole column finds; kept, because a million rows take a moment on every rerun."""
    kept = st.session_state.setdefault("import-found", {})
    key = (place, header, look.__name__)
    if key not in kept:
        if len(kept) > 200:
            kept.clear()
        kept[key] = look(sheet.frame[header])
    return kept[key]


def explain() -> None:
    """What can be imported, while there is no file yet."""
    with st.grid(columns=3, min_column_width=200):
        for title, icon, words in KINDS.values():
            with st.container(border=True, height="stretch"):
                st.markdown(f"{icon} **{title}**  \n:gray[{words}]")
    st.caption(
        "Encoding, separator, columns and date format are found and shown, to be corrected. Nothing is "
        "written before you have seen what would change, and an import can be undone."
    )
