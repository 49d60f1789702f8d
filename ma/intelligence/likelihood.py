"""Maximum likelihood of positive parameters: the search, and how certain it leaves them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np
import pandas as pd

# Slope of the log-likelihood per customer, by the logarithm of a parameter, at which the top is reached; the
# search goes on to the second one where the digits of the sum allow it.
_FLAT, _POLISHED = 1e-6, 1e-12
# So near to a bound (in its logarithm) the search was stopped by it.
_NEAR = 1e-3
# A step is at most so long: a factor of 7. Halved so often, it leads nowhere.
_LONGEST, _STEPS, _HALVINGS = 2.0, 200, 30


class Likelihood(Protocol):
    """A log-likelihood of positive parameters, with its derivatives by the parameters."""

    size: float

    def slope(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """The log-likelihood and its gradient."""

    def curvature(self, parameters: np.ndarray) -> np.ndarray:
        """The matrix of second derivatives."""


@dataclass(frozen=True)
class Optimum:
    """Where the log-likelihood is highest.

    `covariance` is the inverse of the observed information; it is NaN where a bound stopped the search or the
    top is flat. `bounded` are the places of the parameters at a bound.
    """

    parameters: np.ndarray
    log_likelihood: float
    covariance: np.ndarray
    converged: bool
    bounded: tuple[int, ...]


class MaximumLikelihood:
    """A model with positive parameters, and what every fit of one leaves behind.

    `parameters_` by name; `standard_errors_` and `covariance_`, from the observed information (NaN where a
    bound stopped the search); `log_likelihood_`; `customers_` it was fitted on; `converged_`; `at_bounds_`,
    the names of the parameters that a bound stopped, as the likelihood still rises there.
    """

    PARAMETERS: ClassVar[list[str]]
    parameters_: pd.Series
    standard_errors_: pd.Series
    covariance_: pd.DataFrame
    log_likelihood_: float
    customers_: int
    converged_: bool
    at_bounds_: tuple[str, ...]

    @classmethod
    def of(cls, parameters: Mapping[str, float]) -> Self:
        """The model with these parameters, as they were published or stored; only to predict with."""
        model = cls()
        model.parameters_ = pd.Series({name: float(parameters[name]) for name in cls.PARAMETERS})
        return model

    def _keep(self, top: Optimum, *, units: np.ndarray, log_density: float) -> Self:
        """Take over an optimum that was found in other units: the parameters', and that of the densities."""
        names, scale = self.PARAMETERS, np.asarray(units, dtype=np.float64)
        covariance = top.covariance * np.outer(scale, scale)
        self.parameters_ = pd.Series(top.parameters * scale, index=names)
        self.covariance_ = pd.DataFrame(covariance, index=names, columns=names)
        self.standard_errors_ = pd.Series(np.sqrt(np.diag(covariance)), index=names)
        self.log_likelihood_ = top.log_likelihood + log_density
        self.converged_ = top.converged
        self.at_bounds_ = tuple(names[place] for place in top.bounded)
        return self


def maximise(likelihood: Likelihood, starts: list, lower: np.ndarray, upper: np.ndarray) -> Optimum:
    """The highest point between the bounds; further starts are tried only where the first one fails."""
    best = None
    for start in starts:
        found = _from(likelihood, np.asarray(start, dtype=np.float64), np.log(lower), np.log(upper))
        if best is None or (found.converged, found.log_likelihood) > (best.converged, best.log_likelihood):
            best = found
        if best.converged and not best.bounded:
            break
    return best


def added(*columns: np.ndarray) -> float:
    """The sum of the columns' products, as `@` gives it, but in this thread.

    The library behind `@` shares long columns out to all cores, and waits many times as long as that saves
    where others use them.
    """
    places = ",".join("i" * len(columns))
    return float(np.einsum(f"{places}->", *columns))


def _from(likelihood: Likelihood, start: np.ndarray, low: np.ndarray, high: np.ndarray) -> Optimum:
    logs, cost, gradient = _climbed(likelihood, np.clip(np.log(start), low, high), low, high)
    bounded = (logs - low < _NEAR) | (high - logs < _NEAR)
    flat = not (np.abs(gradient[_free(logs, gradient, low, high)]) > _FLAT).any()
    covariance = (
        None if bounded.any() else _covariance(_log_bend(likelihood, logs, gradient) * likelihood.size)
    )
    top, certain = np.exp(logs), covariance is not None
    return Optimum(
        parameters=top,
        log_likelihood=float(-cost * likelihood.size),
        covariance=covariance * np.outer(top, top) if certain else np.full((len(top), len(top)), np.nan),
        converged=flat and (certain or bool(bounded.any())),
        bounded=tuple(np.flatnonzero(bounded).tolist()),
    )


def _climbed(likelihood: Likelihood, logs: np.ndarray, low: np.ndarray, high: np.ndarray):
    """Newton's method on the logarithms of the parameters within the bounds: where it ends, cost, gradient.

    Away from the top, where the likelihood bends up in some direction, the step is that of the mirrored bend
    (Dauphin et al. 2014). The cost is the negative log-likelihood per customer.
    """

    def costs(at):
        value, gradient = likelihood.slope(np.exp(at))
        return -value / likelihood.size, -gradient * np.exp(at) / likelihood.size

    cost, gradient = costs(logs)
    for _ in range(_STEPS):
        free = _free(logs, gradient, low, high)
        if not (np.abs(gradient[free]) > _POLISHED).any():
            break
        bend = _log_bend(likelihood, logs, gradient)
        bends, directions = np.linalg.eigh(bend[np.ix_(free, free)])
        step = np.zeros(len(logs))
        step[free] = -directions @ (directions.T @ gradient[free] / np.maximum(np.abs(bends), 1e-12))
        step *= min(1.0, _LONGEST / np.linalg.norm(step))
        for _ in range(_HALVINGS):
            tried = np.clip(logs + step, low, high)
            new_cost, new_gradient = costs(tried)
            # The last digits of the cost are noise while the gradient still gets better.
            alike = abs(new_cost - cost) <= 1e-13 * abs(cost)
            if new_cost < cost or (alike and np.abs(new_gradient).max() < np.abs(gradient).max()):
                break
            step /= 2.0
        else:
            break
        logs, cost, gradient = tried, new_cost, new_gradient
    return logs, cost, gradient


def _free(logs: np.ndarray, gradient: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Which parameters no bound stops: near it, the likelihood must rise inwards."""
    return ~(((logs - low < _NEAR) & (gradient > 0.0)) | ((high - logs < _NEAR) & (gradient < 0.0)))


def _log_bend(likelihood: Likelihood, logs: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """The second derivatives of the cost by the logarithms of the parameters; `gradient`: the first ones."""
    parameters = np.exp(logs)
    natural = likelihood.curvature(parameters) * np.outer(parameters, parameters)
    return np.diag(gradient) - natural / likelihood.size


def _covariance(information: np.ndarray) -> np.ndarray | None:
    """The inverse of the information, or None where the likelihood bends up in some direction."""
    bends, directions = np.linalg.eigh(information)
    if not bends[0] > 1e-12 * bends[-1]:
        return None
    return (directions / bends) @ directions.T
