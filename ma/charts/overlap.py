"""How messages of one week fall on people: how many each gets, and which campaigns share theirs."""

from html import escape
from itertools import combinations

import pandas as pd
import plotly.graph_objects as go

from ma.charts import theme

CAPPED = theme.ORANGE
# Campaigns of a matrix that stays readable, and up to how many a cell has room for people and share.
MOST_CAMPAIGNS, MOST_PEOPLE = 20, 10
_LONGEST = 30
# Before a name: a saved picture has another font, which may be wider.
_ROOM = 4 * "\N{NO-BREAK SPACE}"
# Cells look the same in both themes; from this share on they are so dark that their numbers are white.
_PALE, _INK = "#E4E6F9", "#1E2233"
_DARK = 0.78


def distribution(frame: pd.DataFrame, *, cap: int) -> go.Figure:
    """How many people get one, two, three … messages, from an analytics.overlap distribution.

    Hatched: people whom the frequency cap takes a message from. The line lies after the last number within
    the cap. Those who get none are left out.
    """
    shown = frame[frame["messages"] > 0]
    reached = max(int(shown["people"].sum()), 1)
    most = max([cap, *shown["messages"]])
    # Numbers that nobody has are rows too: a gap is not to be overlooked.
    shown = shown.set_index("messages").reindex(range(1, most + 1), fill_value=0)
    figure = go.Figure()
    parts = (
        ("free", shown["people"] - shown["capped"], {"color": theme.BRAND}),
        ("capped", shown["capped"], {"color": CAPPED, "pattern": {"shape": "/", "solidity": 0.25}}),
    )
    for part, values, marker in parts:
        figure.add_bar(
            x=values,
            y=shown.index,
            orientation="h",
            width=0.62,
            marker={**marker, "cornerradius": 3},
            customdata=[
                (_messages(n), f"{row.people:,}", f"{row.people / reached:.1%}", f"{row.capped:,}")
                for n, row in zip(shown.index, shown.itertuples(), strict=True)
            ],
            hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]} people, %{customdata[2]} of all "
            "reached<br>%{customdata[3]} of them would lose one to the limit<extra></extra>",
            name=part,
        )
    figure.add_scatter(
        x=shown["people"],
        y=shown.index,
        mode="text",
        text=[
            f"\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}<b>{people:,}</b>  {people / reached * 100:.1f} %"
            for people in shown["people"]
        ],
        textposition="middle right",
        hoverinfo="skip",
        cliponaxis=False,
    )
    theme.apply(figure, height=36 * max(most, 2) + 30, right=120)
    figure.update_layout(barmode="stack")
    figure.update_xaxes(visible=False, range=[0, max([*shown["people"], 1])])
    figure.update_yaxes(
        range=[most + 0.5, 0.5],
        tickmode="array",
        tickvals=list(shown.index),
        ticktext=[_messages(n) for n in shown.index],
        showgrid=False,
    )
    if most > cap:
        figure.add_hline(y=cap + 0.5, line={"color": CAPPED, "width": 2, "dash": "dot"})
        figure.add_annotation(
            text=f"Limit: {cap} in 7 days",
            xref="paper",
            x=1.01,
            xanchor="left",
            y=cap + 0.5,
            showarrow=False,
            font={"size": 12, "color": CAPPED},
        )
    return figure


def matrix(pairs: pd.DataFrame, campaigns: pd.DataFrame) -> go.Figure:
    """How many people each two campaigns share, from analytics.overlap pairs and campaigns; the largest ones.

    Every pair once: a row and a column, darker for a greater share of the smaller of the two. Among many
    campaigns the cells hold the share alone.
    """
    shown = campaigns.head(MOST_CAMPAIGNS)
    few = len(shown) <= MOST_PEOPLE
    ids = shown["campaign_id"].tolist()
    places = list(range(len(ids)))
    cells = pairs.set_index(["first_id", "second_id"])
    share = [[None] * len(ids) for _ in ids]
    told = [[""] * len(ids) for _ in ids]
    texts = [(i, i, f"<b>{theme.compact(people)}</b>", None) for i, people in enumerate(shown["people"])]
    for j, i in combinations(places, 2):
        cell = cells.loc[(ids[i], ids[j])]
        share[i][j], told[i][j] = cell["share_of_smaller"], _pair(cell)
        words = theme.percent(cell["share_of_smaller"], 0)
        words = f"{theme.compact(cell['both'])}<br>{words}" if few else words
        texts.append((j, i, words, "#FFFFFF" if cell["share_of_smaller"] >= _DARK else _INK))
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=places,
            y=places,
            zmin=0,
            zmax=1,
            colorscale=[[0, _PALE], [1, theme.BRAND]],
            showscale=False,
            xgap=2,
            ygap=2,
            customdata=told,
            hovertemplate="%{customdata}<extra></extra>",
            hoverongaps=False,
        )
    )
    for colour in (_INK, "#FFFFFF", None):
        mine = [text for text in texts if text[3] == colour]
        figure.add_scatter(
            x=[x for x, _, _, _ in mine],
            y=[y for _, y, _, _ in mine],
            mode="text",
            text=[words for _, _, words, _ in mine],
            textfont={"size": 12 if few else 11, "color": colour},
            hoverinfo="skip",
        )
    theme.apply(figure, height=(44 if few else 28) * len(ids) + 50, top=30)
    names = [f"{_ROOM}{_short(name)}  <b>{i}</b>" for i, name in enumerate(shown["campaign"], start=1)]
    axis = {"tickmode": "array", "tickvals": places, "showgrid": False, "fixedrange": True}
    figure.update_xaxes(**axis, side="top", ticktext=[f"<b>{i + 1}</b>" for i in places])
    figure.update_yaxes(**axis, ticktext=names, range=[len(ids) - 0.5, -0.5])
    return figure


def _pair(cell: pd.Series) -> str:
    share = cell["share_of_smaller"]
    return (
        f"<b>{escape(cell['first'])}</b><br>and <b>{escape(cell['second'])}</b><br>"
        f"{cell['both']:,} people get both<br>{theme.percent(share)} of the smaller one"
    )


def _messages(number: int) -> str:
    return f"{number} message{'' if number == 1 else 's'}"


def _short(name: str) -> str:
    return escape(name if len(name) <= _LONGEST else name[: _LONGEST - 1].rstrip() + "…")
