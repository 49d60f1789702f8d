"""The colours that meet in one chart stay apart for everybody, and all of them hold on both grounds.

Colour-blindness is simulated as Machado, Oliveira & Fernandes (2009, "A physiologically-based model for
simulation of color vision deficiency", IEEE TVCG 15) have it: their matrices for linear RGB, full severity.
Distances are those of CIE L*a*b* (1976) for daylight D65. About 2.3 can just be told apart side by side;
15 are seen at a glance, between small marks too. Contrast is that of WCAG 2.2, 3:1 for parts of a picture.
"""

import tomllib
from itertools import combinations

import numpy as np
import pytest

from ma.charts import theme
from ma.settings import ROOT

APART, CONTRAST = 15.0, 3.0
SEEN_BY = {
    "everybody else": np.eye(3),
    "no long cones": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "no middle cones": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "no short cones": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TOGETHER = {
    "channels": tuple(theme.CHANNEL_COLOURS.values()),
    "steps": tuple(theme.STEP_COLOURS.values()),
    "series": theme.SERIES_COLOURS,
    "good and bad": (theme.GOOD, theme.BAD, theme.NEUTRAL),
    "good and bad beside the brand": (theme.GOOD, theme.BAD, theme.BRAND),
}
# From linear sRGB to XYZ, and the white of D65 (IEC 61966-2-1).
_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_WHITE = _XYZ.sum(axis=1)


def linear(colour):
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(light):
    t = _XYZ @ light / _WHITE
    x, y, z = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(first, second, seen_by):
    first, second = (lab(np.clip(SEEN_BY[seen_by] @ linear(one), 0, 1)) for one in (first, second))
    return float(np.linalg.norm(first - second))


def contrast(first, second):
    dark, light = sorted(float(_XYZ[1] @ linear(one)) for one in (first, second))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("seen_by", SEEN_BY)
@pytest.mark.parametrize("group", TOGETHER)
def test_colours_of_one_chart_keep_apart(group, seen_by):
    near = {pair: distance(*pair, seen_by) for pair in combinations(TOGETHER[group], 2)}
    assert {pair: round(apart, 1) for pair, apart in near.items() if apart < APART} == {}


@pytest.mark.parametrize("side", ["light", "dark"])
def test_every_colour_holds_on_the_ground_of_both_themes(side):
    look = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"][side]
    colours = {colour for group in TOGETHER.values() for colour in group} | {look["primaryColor"]}
    weak = {one: round(contrast(one, look["backgroundColor"]), 2) for one in colours}
    assert {one: found for one, found in weak.items() if found < CONTRAST} == {}


def test_the_measures_know_what_is_known():
    # Figures of the sRGB primaries (Lindbloom's calculator), and WCAG's own two ends.
    assert lab(linear("#FF0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
    assert lab(linear("#0000FF")) == pytest.approx([32.30, 79.19, -107.86], abs=0.02)
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    # Grey is grey for everybody; red and green of equal lightness are what two of the three confuse.
    for seen_by in SEEN_BY:
        assert lab(SEEN_BY[seen_by] @ linear("#808080"))[1:] == pytest.approx([0, 0], abs=0.01)
    confused = {seen_by: distance("#C0504D", "#7F8B3A", seen_by) for seen_by in SEEN_BY}
    assert confused["everybody else"] > 50
    assert confused["no middle cones"] < APART < confused["no short cones"]
