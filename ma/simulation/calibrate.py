"""Beliefs from history: counts of past campaigns pull the benchmarks towards what happened here.

One step at a time. Campaign i's log-odds are those the benchmark expects of its people plus theta_i, and
theta_i is normal around the typical shift mu with sd tau (a normal-normal hierarchy, fitted by penalised
quasi-likelihood as in Breslow & Clayton 1993). A campaign in which nobody, or everybody, took the step needs
no special care: its weight is that of its people, not of its rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ma.simulation.beliefs import HISTORY, Beliefs, StepBelief
from ma.simulation.delays import LONGEST_DAYS, in_time
from ma.simulation.params import HIGHEST_RATE, ChannelParams, logistic
from ma.simulation.population import BANDS, LIMIT, UNKNOWN_BAND

# The spread that is believed without history counts as much as that seen among so many campaigns.
PRIOR_CAMPAIGNS = 4.0
# Bands differ from what the benchmark's engagement effect says of them by about this much. Assumption; it
# counts as much as what so many bands show.
BAND_SD, PRIOR_BANDS = 0.15, 5.0
_ROUNDS, _CLOSE, _LONGEST_MOVE = 60, 1e-5, 1.5
_SCORES, _NODES = 5, 8


def calibrate(
    beliefs: Beliefs, counts: pd.DataFrame, orders: pd.DataFrame | None = None, *, source: str = HISTORY
) -> Beliefs:
    """The beliefs after seeing past campaigns of the channel; steps nobody was counted in stay as they are.

    counts: one row per campaign_id, step and band (0-4, or NA): reached (people who took the step before) and
    took (those of them who took it; of conversions only those the message caused, where that is known). It
    may have days (since sending, for which `took` was watched: of conversions at most the window), lift
    (assumed of the variant) and effect (see band_effects). Missing: for ever, none, a typical audience's.

    orders: one row per campaign_id: conversions, revenue_minor and expected_minor (at the converted people's
    own average orders). Organic ones belong here, too.

    source: what the counts are, HISTORY or SIMULATED_HISTORY; they must not be mixed.

    Raises ValueError for a step the channel does not have, and for more people who took it than reached it.
    """
    unknown = sorted(set(counts["step"]) - set(beliefs.params.steps))
    if unknown:
        raise ValueError(f"{beliefs.params.channel.label} has no step {unknown[0]!r} to calibrate.")
    if (counts["took"] > counts["reached"]).any():
        raise ValueError("More people took a step than reached it. Count unique people.")
    rows = counts[counts["reached"] > 0]
    watched = _watched(rows, beliefs.params)
    steps = dict(beliefs.steps)
    for name in dict.fromkeys(rows["step"]):
        if 0.0 < beliefs.params.steps[name].rate < 1.0:
            mine = (rows["step"] == name).to_numpy()
            data = _Counts.of(rows[mine], watched[mine], beliefs.params, name)
            steps[name] = _fitted(data, beliefs.steps[name], source)
    order_value = beliefs.order_value
    if orders is not None:
        order_value = _order_value(orders, order_value, beliefs.params.revenue_sigma, source)
    return replace(beliefs, steps=steps, order_value=order_value)


def band_effects(cells: pd.DataFrame, params: ChannelParams) -> pd.DataFrame:
    """What an audience (see cells) is like: the mean effect on the log-odds of each step, by band.

    Columns step, band, effect. Merged into the counts of a campaign to that audience, it tells how the people
    differ from how they answered, so that calibration does not take the one for the other.
    """
    frames = []
    for name, step in params.steps.items():
        effect = step.engagement * cells["engagement"] + step.recency * cells["recency"]
        effect = (effect + step.fatigue * cells["messages"]) * cells["people"]
        means = effect.groupby(cells["band"]).sum() / cells.groupby("band")["people"].sum()
        frames.append(means.rename("effect").reset_index().assign(step=name))
    found = pd.concat(frames, ignore_index=True)[["step", "band", "effect"]]
    return found.assign(band=found["band"].astype("Int64").mask(found["band"] == UNKNOWN_BAND))


def _watched(rows: pd.DataFrame, params: ChannelParams) -> np.ndarray:
    """Of those who take a step ever, the share that was seen in time, times what the variant added."""
    days = _column(rows, "days", LONGEST_DAYS)
    by_step = dict(zip(zip(rows["campaign_id"], rows["step"], strict=True), days, strict=True))
    # Few distinct ages, many rows.
    shares: dict[float, Mapping[str, float]] = {}

    def share(step: str, watched: float) -> float:
        if watched not in shares:
            shares[watched] = in_time(params, watched)
        return shares[watched][step]

    found = []
    for campaign, name, own in zip(rows["campaign_id"], rows["step"], days, strict=True):
        after = params.steps[name].after
        before = share(after, by_step.get((campaign, after), own))
        found.append(share(name, own) / before if before > 0.0 else 0.0)
    return np.minimum(np.array(found), 1.0) * (1.0 + _column(rows, "lift", 0.0))


def _column(rows: pd.DataFrame, name: str, missing: float) -> np.ndarray:
    if name not in rows:
        return np.full(len(rows), missing)
    return np.nan_to_num(rows[name].to_numpy(np.float64, na_value=np.nan), nan=missing)


@dataclass
class _Counts:
    """The counts of one step as columns, and the log-odds that the benchmark expects in each band."""

    campaign: np.ndarray
    band: np.ndarray
    reached: np.ndarray
    took: np.ndarray
    watched: np.ndarray
    effect: np.ndarray
    odds: np.ndarray  # bands x nodes
    weights: np.ndarray  # bands x nodes, each row adding up to 1

    @classmethod
    def of(cls, rows: pd.DataFrame, watched: np.ndarray, params: ChannelParams, name: str) -> "_Counts":
        seen = watched > 0.0
        rows, band = (
            rows[seen],
            rows["band"].astype("Float64").to_numpy(np.float64, na_value=UNKNOWN_BAND)[seen],
        )
        odds, weights, typical = _typical(params, name)
        band = band.astype(np.int64)
        own = _column(rows, "effect", np.nan)
        return cls(
            campaign=np.unique(rows["campaign_id"].to_numpy(), return_inverse=True)[1],
            band=band,
            reached=rows["reached"].to_numpy(np.float64),
            took=rows["took"].to_numpy(np.float64),
            watched=watched[seen],
            effect=np.where(np.isnan(own), 0.0, own - typical[band]),
            odds=odds,
            weights=weights,
        )

    def gradients(
        self, theta: np.ndarray, doubt: np.ndarray, bands: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The derivative of each row's log-likelihood by its log-odds, and the Fisher information.

        The probability is the mean over what theta may be (`doubt`: its variance), to second order: at theta
        alone rare steps would look likelier than they are.
        """
        shift = theta[self.campaign] + bands[self.band] + self.effect
        chance = logistic(self.odds[self.band] + shift[:, None])
        weights = self.weights[self.band]
        change = weights * chance * (1.0 - chance)
        slope = self.watched * change.sum(axis=1)
        bend = self.watched * (change * (1.0 - 2.0 * chance)).sum(axis=1) * doubt[self.campaign] / 2.0
        p = np.clip(self.watched * (weights * chance).sum(axis=1) + bend, 1e-12, HIGHEST_RATE)
        slope /= p * (1.0 - p)
        return (self.took - self.reached * p) * slope, self.reached * p * (1.0 - p) * slope**2


def _typical(params: ChannelParams, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a typical audience, by band: log-odds of a step, weights of who gets that far, mean effect."""
    scores = (np.arange(BANDS * _SCORES) + 0.5) * (100.0 / (BANDS * _SCORES))
    engagement = params.population.engagement(scores).reshape(BANDS, _SCORES)
    unknown = np.zeros((1, _SCORES))
    engagement = np.vstack([engagement, unknown])[:, :, None]
    nodes, recency_weights = np.polynomial.hermite_e.hermegauss(_NODES)
    weights = np.exp(-(engagement**2) / 2.0) * recency_weights
    nodes, intercepts = np.clip(nodes, -LIMIT, LIMIT), params.intercepts()

    def effect(step):
        return step.engagement * engagement + step.recency * nodes + np.zeros_like(weights)

    step = params.steps[name]
    typical = (effect(step) * weights).sum(axis=(1, 2)) / weights.sum(axis=(1, 2))
    after = step.after
    while after != "sent":
        weights = weights * logistic(
            intercepts[after] + params.steps[after].shift + effect(params.steps[after])
        )
        after = params.steps[after].after
    odds = (intercepts[name] + step.shift + effect(step)).reshape(BANDS + 1, -1)
    odds = odds + np.array([*step.bands, 0.0])[:, None]
    weights = weights.reshape(BANDS + 1, -1)
    return odds, weights / weights.sum(axis=1, keepdims=True), typical


def _fitted(data: _Counts, prior: StepBelief, source: str) -> StepBelief:
    if not len(data.reached):
        return prior
    count = int(data.campaign.max()) + 1
    theta, doubt, bands = np.full(count, prior.shift), np.zeros(count), np.array([*prior.bands, 0.0])
    for _ in range(_ROUNDS):
        before = theta
        score, information = data.gradients(theta, doubt, bands)
        weight = np.bincount(data.campaign, information, count)
        move = np.clip(np.bincount(data.campaign, score, count) / weight, -_LONGEST_MOVE, _LONGEST_MOVE)
        mean, sd, tau, theta = _pooled(theta + move, 1.0 / weight, prior)
        doubt = 1.0 / (weight + 1.0 / tau**2)
        score, information = data.gradients(theta, doubt, bands)
        bands = _bands(data.band, score, information, bands)
        if np.max(np.abs(theta - before)) < _CLOSE:
            break
    return StepBelief(mean, sd, tau, tuple(bands[:BANDS].tolist()), source, count, int(data.reached.sum()))


def _pooled(y: np.ndarray, v: np.ndarray, prior: StepBelief) -> tuple[float, float, float, np.ndarray]:
    """The typical shift (mean, sd), the spread, each campaign's own shift; from estimates and variances."""
    usual = max(prior.spread, 1e-3) ** 2
    # How much the campaigns tell about their spread: one each where people abound, nothing where noise does.
    told = max(float(((usual / (usual + v)) ** 2).sum()) - 1.0, 0.0)
    spread2 = (PRIOR_CAMPAIGNS * usual + told * _paule_mandel(y, v)) / (PRIOR_CAMPAIGNS + told)
    # What so few campaigns say of their spread is itself in doubt: the mean is Student's, with this variance.
    freedom = PRIOR_CAMPAIGNS + told
    precision = (freedom - 2.0) / freedom / (v + spread2)
    prior_precision = 1.0 / max(prior.sd, 1e-6) ** 2
    total = precision.sum() + prior_precision
    mean = (precision @ y + prior_precision * prior.shift) / total
    own = (y / v + mean / spread2) / (1.0 / v + 1.0 / spread2)
    return float(mean), float(total**-0.5), float(spread2**0.5), own


def _paule_mandel(y: np.ndarray, v: np.ndarray) -> float:
    """The variance between estimates beyond their own variances (Paule & Mandel 1982), at least 0."""

    def excess(between: float) -> float:
        w = 1.0 / (v + between)
        return float(w @ (y - w @ y / w.sum()) ** 2) - (len(y) - 1)

    if len(y) < 2 or excess(0.0) <= 0.0:
        return 0.0
    low, high = 0.0, 1.0
    while excess(high) > 0.0 and high < 1e6:
        high *= 4.0
    for _ in range(50):
        middle = (low + high) / 2.0
        low, high = (middle, high) if excess(middle) > 0.0 else (low, middle)
    return (low + high) / 2.0


def _bands(band: np.ndarray, score: np.ndarray, information: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The bands' offsets after one step, shrunk towards none; they say how bands differ, not how all do."""
    weight = np.bincount(band, information, BANDS + 1)[:BANDS]
    seen = weight > 0.0
    found = np.zeros(BANDS + 1)
    if seen.sum() < 2:
        return found
    weight = weight[seen]
    own = before[:BANDS][seen] + np.bincount(band, score, BANDS + 1)[:BANDS][seen] / weight
    own = np.clip(own - weight @ own / weight.sum(), -_LONGEST_MOVE, _LONGEST_MOVE)
    noise = 1.0 / weight
    told = float(((BAND_SD**2 / (BAND_SD**2 + noise)) ** 2).sum())
    between = (PRIOR_BANDS * BAND_SD**2 + told * _paule_mandel(own, noise)) / (PRIOR_BANDS + told)
    found[np.flatnonzero(seen)] = own * between / (between + noise)
    return found


def _order_value(orders: pd.DataFrame, prior: StepBelief, sigma: float, source: str) -> StepBelief:
    """What orders brought against what was expected of those people, pooled over campaigns."""
    known = orders[
        (orders["conversions"] > 0) & (orders["revenue_minor"] > 0) & (orders["expected_minor"] > 0)
    ]
    if known.empty:
        return prior
    # The logarithm of a sum of n log-normal amounts: Fenton's variance, and its mean is half of that too low.
    v = np.log1p(np.expm1(sigma**2) / known["conversions"].to_numpy(np.float64))
    y = np.log(known["revenue_minor"].to_numpy(np.float64) / known["expected_minor"].to_numpy(np.float64))
    mean, sd, tau, _ = _pooled(y + v / 2.0, v, prior)
    return StepBelief(
        mean, sd, tau, prior.bands, source, known["campaign_id"].nunique(), int(known["conversions"].sum())
    )
