"""The export half of the screen: every list that can be taken out whole."""

import streamlit as st

from ma.analytics import campaigns as campaign_data
from ma.analytics import segments as segment_data
from ui.export import export_button
from ui.session import now, reading

# Table -> what it is called, its icon, and what stands in it.
_LISTS = {
    "customers": ("Customers", ":material/group:", "Everybody, with contact and consent"),
    "purchases": ("Orders", ":material/receipt_long:", "Every sale and refund, with its amount"),
    "purchase_lines": ("Order lines", ":material/shopping_cart:", "What each order was made of"),
    "events": ("Events", ":material/ads_click:", "Visits and whatever else people did"),
    "segments": ("Segments", ":material/filter_alt:", "Every segment with its size"),
    "campaigns": ("Campaigns", ":material/campaign:", "Every campaign with its status and numbers"),
    "roi": ("Return on investment", ":material/payments:", "Cost and revenue of each campaign"),
    "imports": ("Imports", ":material/upload_file:", "What came in, when and by whom"),
}


def show() -> None:
    """A card for each list with its export menu, and the lists of one segment or campaign."""
    with st.grid(columns=2, min_column_width=300):
        for name, (title, icon, words) in _LISTS.items():
            _card(name, title, icon, words)
    as_of = now()
    with reading() as session:
        segments = segment_data.segments(session, as_of=as_of)
        campaigns = campaign_data.campaigns(session, as_of=as_of)
    with st.grid(columns=2, min_column_width=300):
        if len(segments):
            names = dict(zip(segments["segment_id"].tolist(), segments["name"], strict=True))
            _one_of("segment_members", "segment_id", "People of a segment", ":material/groups:", names)
        if len(campaigns):
            names = dict(zip(campaigns["campaign_id"].tolist(), campaigns["name"], strict=True))
            _one_of("recipients", "campaign_id", "People of a campaign", ":material/send:", names)
    st.caption(
        "CSV is for other systems, Excel for reading (up to 2 million cells), Parquet for analysis. Text "
        "that a spreadsheet would run as a formula is made harmless and comes back as it was by an import. "
        "Amounts are in minor units such as cents. Who exported what is written down."
    )


def _card(name: str, title: str, icon: str, words: str, **params: object) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"export-list-{name}"):
        st.markdown(f"{icon} **{title}**  \n:gray[{words}]", width="content")
        st.space("stretch")
        export_button(name, key=f"list-{name}", **params)


def _one_of(frame: str, parameter: str, title: str, icon: str, names: dict[int, str]) -> None:
    with st.container(border=True, key=f"export-list-{frame}"):
        st.markdown(f"{icon} **{title}**")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            chosen = st.selectbox(
                title,
                list(names),
                format_func=names.get,
                label_visibility="collapsed",
                key=f"export-{frame}",
            )
            export_button(frame, key=f"list-{frame}", **{parameter: chosen})
