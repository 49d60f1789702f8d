"""Draws are uniform, independent between steps and seeds, and depend on nothing but their three arguments."""

import math
from statistics import NormalDist

import numpy as np

from ma.simulation.draws import chosen, normal, split, stable_hash, uniform

IDS = np.arange(1, 200_001)


def distance(values, cdf):
    """The Kolmogorov-Smirnov distance between a sample and a distribution."""
    ordered = cdf(np.sort(values))
    ranks = np.arange(len(values) + 1) / len(values)
    return max(np.max(ranks[1:] - ordered), np.max(ordered - ranks[:-1]))


def test_uniform_draws_are_uniform_for_consecutive_and_for_scattered_ids():
    critical = math.sqrt(-math.log(0.001 / 2) / 2) / math.sqrt(len(IDS))
    for ids in (IDS, IDS * 1_000_003, IDS + 2**40):
        for step in ("opened", "clicked"):
            assert distance(uniform(7, ids, step), lambda x: x) < critical


def test_normal_draws_are_standard_normal():
    critical = math.sqrt(-math.log(0.001 / 2) / 2) / math.sqrt(20_000)
    values = normal(7, IDS[:20_000], "delay")
    assert distance(values, np.vectorize(NormalDist().cdf)) < critical


def test_draws_are_never_zero_or_one():
    values = uniform(1, IDS, "opened")
    assert values.min() > 0.0
    assert values.max() < 1.0


def test_steps_and_seeds_and_neighbours_are_independent():
    opened = uniform(7, IDS, "opened")
    others = [uniform(7, IDS, "clicked"), uniform(8, IDS, "opened"), np.roll(opened, 1)]
    for other in others:
        assert abs(np.corrcoef(opened, other)[0, 1]) < 4 / math.sqrt(len(IDS))
        # Beyond correlation: the 16 cells of a 4 x 4 table, chi-square with 15 degrees of freedom, 0.1 %.
        table = np.histogram2d(opened, other, bins=4)[0]
        assert ((table - len(IDS) / 16) ** 2 / (len(IDS) / 16)).sum() < 37.7


def test_order_and_chunks_do_not_matter():
    whole = uniform(7, IDS, "opened")
    shuffled = np.random.default_rng(1).permutation(len(IDS))
    assert np.array_equal(uniform(7, IDS[shuffled], "opened"), whole[shuffled])
    chunks = [uniform(7, part, "opened") for part in np.array_split(IDS, 7)]
    assert np.array_equal(np.concatenate(chunks), whole)


def test_draws_are_the_same_for_ever():
    # Frozen: a change here means another VERSION, since stored launches could no longer be replayed.
    assert uniform(7, np.array([1, 2, 3]), "opened").round(12).tolist() == [
        0.492858151212,
        0.122656642451,
        0.931782632959,
    ]
    assert stable_hash("a campaign") == 5_645_431_500_434_924_639


def test_raising_a_share_only_adds_people():
    few, more = chosen(7, IDS, "holdout", 0.1), chosen(7, IDS, "holdout", 0.2)
    assert (more | ~few).all()
    assert abs(few.mean() - 0.1) < 4 * math.sqrt(0.1 * 0.9 / len(IDS))
    assert not chosen(7, IDS, "holdout", 0.0).any()


def test_parts_of_a_split_are_equally_large():
    sizes = np.bincount(split(7, IDS, "wave", 5), minlength=5)
    assert len(sizes) == 5
    assert ((sizes - len(IDS) / 5) ** 2 / (len(IDS) / 5)).sum() < 18.5  # chi-square, 4 degrees, 0.1 %
