"""Attribution models against hand calculations, published examples, brute force and laws."""

from datetime import date
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ma.analytics.attribution import largest_remainder, of_journeys
from ma.analytics.credit import (
    MODELS,
    chain,
    coalition_values,
    credit,
    removal_effects,
    shapley,
    too_many,
)
from ma.analytics.journeys import Journeys
from ma.analytics.touches import Question
from ma.errors import InvalidInput

LAWS = settings(max_examples=20, deadline=None)
ASKED = Question(start=date(2026, 1, 1), end=date(2026, 2, 1))


def journeys(won, lost=()):
    """Journeys from {"AB": (conversions, revenue)} and {"A": journeys without a conversion}.

    Touches are one letter each and, for time decay, one half-life apart: the last one is new.
    """
    lost = dict(lost)
    letters = sorted(set("".join([*won, *lost])))
    key = {letter: place for place, letter in enumerate(letters)}

    def text(path):
        return ",".join(str(key[letter]) for letter in path)

    decayed = np.zeros((len(letters), 2))
    for path, figures in won.items():
        ages = [0.5 ** (len(path) - 1 - place) for place in range(len(path))]
        for letter, weight in zip(path, ages, strict=True):
            decayed[key[letter]] += np.array(figures) * weight / sum(ages)
    converted = pd.DataFrame(
        [(text(path), 0, *figures) for path, figures in won.items()],
        columns=["path", "days", "conversions", "revenue_minor"],
    )
    return Journeys(
        question=ASKED,
        conversions=int(converted["conversions"].sum()),
        revenue_minor=int(converted["revenue_minor"].sum()),
        keys=pd.DataFrame(
            {"key": range(len(letters)), "name": letters, "channel": "email", "campaign_id": pd.NA}
        ),
        converted=converted.astype({"path": str, "conversions": "int64", "revenue_minor": "int64"}),
        unconverted=pd.DataFrame(
            [(text(path), count) for path, count in lost.items()], columns=["path", "journeys"]
        ).astype({"path": str, "journeys": "int64"}),
        decayed=pd.DataFrame(decayed, columns=["conversions", "revenue_minor"]).assign(
            key=range(len(letters))
        ),
    )


def credited(found, model, figure="conversions"):
    return dict(zip(found.keys["name"], credit(found, model)[figure], strict=True))


# By hand


@pytest.mark.parametrize(
    ("model", "shares"),
    [
        ("last_touch", [0, 0, 0, 1]),
        ("first_touch", [1, 0, 0, 0]),
        ("linear", [1 / 4, 1 / 4, 1 / 4, 1 / 4]),
        ("position_based", [0.4, 0.1, 0.1, 0.4]),
        ("time_decay", [1 / 15, 2 / 15, 4 / 15, 8 / 15]),
    ],
)
def test_rules_divide_one_journey_of_four(model, shares):
    found = journeys({"ABCD": (10, 3000)})
    assert list(credited(found, model).values()) == pytest.approx([10 * share for share in shares])
    revenue = credited(found, model, "revenue_minor")
    assert list(revenue.values()) == pytest.approx([3000 * share for share in shares])


def test_rules_count_every_touch_of_a_channel():
    found = journeys({"AAB": (6, 0), "BA": (2, 0)})
    assert credited(found, "linear") == pytest.approx({"A": 4 + 1, "B": 2 + 1})
    assert credited(found, "position_based") == pytest.approx({"A": 3.6 + 1, "B": 2.4 + 1})
    assert credited(found, "last_touch") == {"A": 2, "B": 6}


def effects(found):
    made, who = chain(found)
    return dict(zip(found.keys["name"].iloc[who], removal_effects(made, made.converts), strict=True))


def test_markov_gives_the_tutorial_of_bryl():
    """Three customers: C1 C2 C3 buys, C1 does not, C2 C3 does not (analyzecore.com, 2016)."""
    found = journeys({"123": (1, 900)}, {"1": 1, "23": 1})
    assert effects(found) == pytest.approx({"1": 0.5, "2": 1, "3": 1})
    assert credited(found, "markov") == pytest.approx({"1": 0.2, "2": 0.4, "3": 0.4})
    assert credited(found, "markov", "revenue_minor") == pytest.approx({"1": 180, "2": 360, "3": 360})


def test_markov_gives_the_example_of_the_channelattribution_package():
    """Simulated there: 1.991 and 1.009 of three conversions."""
    found = journeys({"ABABBA": (1, 1), "ABBAA": (1, 1), "AA": (1, 1)})
    assert effects(found) == pytest.approx({"A": 1, "B": 0.5})
    assert credited(found, "markov") == pytest.approx({"A": 2, "B": 1})


def test_markov_gives_the_example_of_puzyrov():
    """Ads alone 2, mail alone 1, ads then mail 1, ads without a sale 1 (serhiipuzyrov.com, 2019)."""
    found = journeys({"G": (2, 0), "M": (1, 0), "GM": (1, 0)}, {"G": 1})
    assert effects(found) == pytest.approx({"G": 0.75, "M": 0.5})
    assert credited(found, "markov") == pytest.approx({"G": 2.4, "M": 1.6})


def test_shapley_gives_the_glove_game():
    """Two left gloves, the third player has the right one, and only a pair is worth anything: 1/6 1/6 4/6."""
    pairs = [0, 0, 0, 0, 0, 1, 1, 1]
    assert shapley(np.array(pairs, dtype=float)) == pytest.approx([1 / 6, 1 / 6, 4 / 6])


def test_shapley_by_hand_for_two_channels():
    """A alone brings 3 of its 5, B 1: together 6. A: the mean of 3 and 6 - 1; B: the mean of 1 and 6 - 3."""
    found = journeys({"A": (3, 0), "B": (1, 0), "AB": (2, 0)})
    made, _ = chain(found)
    assert coalition_values(made, made.converts) == pytest.approx([0, 3, 1, 6])
    assert credited(found, "shapley") == pytest.approx({"A": 4, "B": 2})


def test_shares_are_rounded_as_hamilton_did():
    """The example of the largest remainders in every textbook: ten seats."""
    votes = np.array([47000, 16000, 15900, 12000, 6000, 3100], dtype=float)
    assert largest_remainder(votes, 10).tolist() == [5, 2, 1, 1, 1, 0]


# Brute force


def walked(made, reward, kept, steps=4000):
    """What the chain expects with the messages `kept` only: the walk itself, step by step."""
    there = np.isin(np.arange(len(reward)), kept).astype(float)
    mass, got = made.start * there, 0.0
    for _ in range(steps):
        got += mass @ reward
        mass = (mass @ made.onward) * there
    return got


RICH = {
    "AB": (7, 1400), "ABCA": (3, 900), "C": (5, 100), "BDB": (2, 800), "DCBA": (4, 1000), "A": (9, 450),
}  # fmt: skip
RICH_LOST = {"A": 30, "AB": 12, "CD": 25, "D": 40, "BCBC": 6}


@pytest.mark.parametrize("figure", ["converts", "earns"])
def test_removal_effects_are_what_walking_without_a_channel_loses(figure):
    made, who = chain(journeys(RICH, RICH_LOST))
    reward = getattr(made, figure)
    everybody = list(range(len(who)))
    whole = walked(made, reward, everybody)
    lost = [1 - walked(made, reward, [j for j in everybody if j != i]) / whole for i in everybody]
    assert removal_effects(made, reward) == pytest.approx(lost, abs=1e-10)


def test_removal_effects_hold_in_a_simulation_of_the_chain():
    made, who = chain(journeys(RICH, RICH_LOST))
    generator, size, walkers = np.random.default_rng(11), len(who), 60_000
    ends = 1.0 - made.onward.sum(axis=1) - made.converts
    moves = np.cumsum(np.column_stack([made.onward, made.converts, ends]), axis=1)
    begin = np.cumsum(made.start / made.start.sum())
    at = np.searchsorted(begin, generator.random(walkers) * begin[-1])
    met = np.zeros((walkers, size), dtype=bool)
    while (at < size).any():
        going = np.flatnonzero(at < size)
        met[going, at[going]] = True
        drawn = generator.random(len(going))
        at[going] = np.minimum((drawn[:, None] > moves[at[going]]).sum(axis=1), size + 1)
    converted = at == size
    # Without a channel everybody who meets it is lost: the share of those who convert that met it.
    simulated = met[converted].mean(axis=0)
    error = np.sqrt(0.25 / converted.sum())
    assert removal_effects(made, made.converts) == pytest.approx(simulated, abs=4 * error)


def test_shapley_is_the_mean_over_all_orders():
    made, who = chain(journeys(RICH, RICH_LOST))
    orders = list(permutations(range(len(who))))
    for reward in (made.converts, made.earns):
        brought = np.zeros(len(who))
        for order in orders:
            for place, player in enumerate(order):
                after, before = list(order[: place + 1]), list(order[:place])
                brought[player] += walked(made, reward, after, 400) - walked(made, reward, before, 400)
        mean = brought / len(orders) * made.journeys
        assert shapley(coalition_values(made, reward)) == pytest.approx(mean, rel=1e-9)


@given(st.lists(st.integers(-50, 50), min_size=31, max_size=31))
@LAWS
def test_shapley_of_any_game_is_the_mean_over_all_orders(values):
    game = np.array([0, *values], dtype=float)
    brought = np.zeros(5)
    for order in permutations(range(5)):
        sets = np.cumsum([0, *[1 << player for player in order]])
        brought[list(order)] += np.diff(game[sets])
    assert shapley(game) == pytest.approx(brought / 120, abs=1e-9)


# Laws

PATHS = st.text("ABCDE", min_size=1, max_size=6)
FIGURES = st.tuples(st.integers(1, 400), st.integers(0, 10**7))
WON = st.dictionaries(PATHS, FIGURES, min_size=1, max_size=12)
LOST = st.dictionaries(PATHS, st.integers(1, 400), max_size=12)


@given(WON, LOST)
@LAWS
def test_every_model_shares_out_exactly_what_there_is(won, lost):
    found = journeys(won, lost)
    table = of_journeys(found)
    assert set(table["model"]) == set(MODELS)
    for model, part in table.groupby("model"):
        assert part["revenue_minor"].sum() == found.revenue_minor
        assert np.rint(part["conversions"] * 100).astype(int).sum() == found.conversions * 100
        assert round(part["conversions"].sum(), 9) == found.conversions
        assert part["share"].sum() == pytest.approx(1)
        assert (part[["conversions", "revenue_minor"]] >= 0).all(axis=None)
        # Rounding moves nothing by more than a hundredth, or a cent.
        raw = credit(found, model)
        assert (part["conversions"].to_numpy() - raw["conversions"]).abs().max() <= 0.01 + 1e-9
        assert (part["revenue_minor"].to_numpy() - raw["revenue_minor"]).abs().max() <= 1 + 1e-3


@given(st.dictionaries(st.sampled_from("ABCDE"), FIGURES, min_size=1), LOST)
@LAWS
def test_models_agree_where_every_conversion_had_one_touch(won, lost):
    # Nobody who failed had other messages first, or a chain would lead from one to the other.
    found = journeys(won, {path: n for path, n in lost.items() if len(set(path)) == 1})
    alone = {letter: won.get(letter, (0, 0)) for letter in found.keys["name"]}
    for model in MODELS:
        assert credit(found, model).to_numpy() == pytest.approx(
            np.array(list(alone.values()), dtype=float), rel=1e-9, abs=1e-6
        )


@given(WON, LOST)
@LAWS
def test_who_was_in_no_converting_journey_gets_nothing(won, lost):
    found = journeys(won, {**lost, "ZA": 5, "BZC": 2, "Z": 1})
    for _, part in of_journeys(found).groupby("model"):
        [row] = part[part["name"] == "Z"].to_dict("records")
        assert (row["conversions"], row["revenue_minor"], row["share"]) == (0, 0, 0)


SWAPPED = str.maketrans("AB", "BA")


def added(*parts):
    total = {}
    for part in parts:
        for path, figures in part.items():
            total[path] = tuple(np.add(total.get(path, 0), figures))
    return total


@given(WON, LOST)
@LAWS
def test_channels_that_do_the_same_get_the_same(won, lost):
    """Each journey comes once more with A and B exchanged."""
    both = added(won, {path.translate(SWAPPED): figures for path, figures in won.items()})
    failed = {path: (n,) for path, n in lost.items()}
    neither = added(failed, {path.translate(SWAPPED): n for path, n in failed.items()})
    found = journeys(both, {path: int(n[0]) for path, n in neither.items()})
    for model in MODELS:
        shares = credit(found, model).set_index(found.keys["name"]).reindex(["A", "B"], fill_value=0.0)
        assert shares.loc["A"].to_numpy() == pytest.approx(shares.loc["B"].to_numpy(), rel=1e-9, abs=1e-6)


@given(st.permutations("ABCDEF"), st.integers(1, 6), FIGURES)
@LAWS
def test_linear_gives_equal_shares(letters, length, figures):
    path = "".join(letters[:length])
    shares = credited(journeys({path: figures}), "linear")
    assert list(shares.values()) == pytest.approx([figures[0] / length] * length)


@given(WON, LOST)
@LAWS
def test_the_chain_expects_what_was_counted(won, lost):
    found = journeys(won, lost)
    made, _ = chain(found)
    assert coalition_values(made, made.converts)[-1] == pytest.approx(found.conversions, rel=1e-9)
    assert coalition_values(made, made.earns)[-1] == pytest.approx(found.revenue_minor, rel=1e-9)


@given(WON, LOST)
@LAWS
def test_repeats_change_nothing_in_the_chain(won, lost):
    def once(path):
        return "".join(a for a, b in zip(path, " " + path, strict=False) if a != b)

    short = added(*[{once(path): figures} for path, figures in won.items()])
    failed = added(*[{once(path): (n,)} for path, n in lost.items()])
    one, other = journeys(won, lost), journeys(short, {path: int(n[0]) for path, n in failed.items()})
    for model in ("markov", "shapley"):
        assert credited(one, model) == pytest.approx(credited(other, model), rel=1e-8, abs=1e-9)


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=30).filter(lambda values: sum(values) > 1e-3),
    st.integers(0, 10**9),
)
@LAWS
def test_rounded_shares_add_up_and_stay_beside_the_exact_ones(values, total):
    values = np.array(values)
    whole = largest_remainder(values, total)
    assert whole.sum() == total
    assert np.abs(whole - values / values.sum() * total).max() < 1 + 1e-5


# Limits


def many(count):
    return journeys({chr(65 + place): (1, 10) for place in range(count)}, {"ab": 3})


def test_shapley_takes_twelve_and_refuses_thirteen_with_the_remedy():
    twelve, thirteen = many(12), many(13)
    assert too_many(twelve) is None
    assert credited(twelve, "shapley")["A"] == pytest.approx(1)
    assert "shapley" not in set(of_journeys(thirteen)["model"])
    assert len(of_journeys(thirteen)["model"].unique()) == len(MODELS) - 1
    with pytest.raises(InvalidInput, match="by channel"):
        of_journeys(thirteen, ["shapley"])


def test_an_unknown_model_is_refused():
    with pytest.raises(InvalidInput, match="last_touch"):
        credit(many(2), "newest")
