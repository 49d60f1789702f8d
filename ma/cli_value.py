"""Customer value on the command line: `python -m ma value …`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ma.errors import FileProblem
from ma.terminal import Json, answer, open_database, progress, say
from ma.types import SYSTEM

SummaryFile = Annotated[
    Path,
    typer.Argument(help="A table (.csv, .xlsx, .parquet): frequency, recency, T, perhaps monetary_value."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `value`."""
    app.command("fit")(fit)
    app.command("score")(score)


def fit(summary: SummaryFile, as_json: Json = False) -> None:
    """Fit the purchase model (BG/NBD), and with amounts the order value model (gamma-gamma).

    One row per customer: frequency (repeat purchases), recency (time from the first purchase to the last), T
    (time from the first purchase to the end), in any unit of time, and monetary_value (mean amount of the
    repeat purchases). A column weight says how many customers a row stands for.
    """
    from ma.files.reading import read
    from ma.intelligence.bgnbd import BetaGeo
    from ma.intelligence.gamma_gamma import GammaGamma
    from ma.intelligence.summaries import BadSummary

    sheet = read(summary, name=summary.name)
    try:
        models = {"purchases": BetaGeo().fit(sheet.frame)}
        if "monetary_value" in sheet.frame:
            models["orders"] = GammaGamma().fit(sheet.frame)
    except BadSummary as error:
        where = "" if error.row is None else f"Row {sheet.first_row + error.row}: "
        raise FileProblem(f"{summary.name} cannot be fitted. {where}{error.problem}") from error
    if as_json:
        say(json.dumps({name: _told(model) for name, model in models.items()}))
        return
    say("\n\n".join(_words(name, _told(model)) for name, model in models.items()))


def score(as_json: Json = False) -> None:
    """Fit the models to what customers bought until now, and store what they say about each customer."""
    from ma.analytics.value_models import value_model
    from ma.analytics.workspace import workspace
    from ma.services.scoring import score_customers

    tell = progress(as_json)
    with open_database() as database:
        with database.reading() as session:
            at = workspace(session).now()
        customers = score_customers(database, SYSTEM, at=at, progress=tell)
        with database.reading() as session:
            model = value_model(session)
    tell(1.0, "Done")
    document = {"customers": customers, "model_version": model["id"]}
    document |= {name: model[name] for name in ("status", "problems", "repeat_customers")}
    words = [f"{customers:,} customers scored. Model {model['id']} is {model['status']}.", *model["problems"]]
    answer(document, as_json, "\n".join(words))


def _told(model) -> dict:
    """A fit as JSON; a standard error that is unknown is null."""
    unknown = model.standard_errors_.isna()
    told = {
        "customers": model.customers_,
        "log_likelihood": model.log_likelihood_,
        "converged": model.converged_,
        "at_bounds": list(model.at_bounds_),
        "parameters": {
            name: {
                "value": float(value),
                "se": None if unknown[name] else float(model.standard_errors_[name]),
            }
            for name, value in model.parameters_.items()
        },
    }
    if hasattr(model, "repeat_customers_"):
        told["repeat_customers"] = model.repeat_customers_
    return told


def _words(name: str, told: dict) -> str:
    lines = [_TITLES[name].format(**told), f"{'':>8}{'value':>14}{'standard error':>18}"]
    for parameter, found in told["parameters"].items():
        error = "–" if found["se"] is None else f"{found['se']:,.4f}"
        lines.append(f"{parameter:>8}{found['value']:>14,.4f}{error:>18}")
    lines.append(f"Log-likelihood {told['log_likelihood']:,.4f}")
    if not told["converged"]:
        lines.append("No highest likelihood was found: do not rely on these parameters.")
    elif told["at_bounds"]:
        at = ", ".join(told["at_bounds"])
        lines.append(
            f"The likelihood still rises at the bound of {at}: the model does not fit these customers."
        )
    return "\n".join(lines)


_TITLES = {
    "purchases": "Purchase model (BG/NBD): {customers:,} customers, {repeat_customers:,} bought again",
    "orders": "Order value model (gamma-gamma): {customers:,} customers with an amount of repeat purchases",
}
