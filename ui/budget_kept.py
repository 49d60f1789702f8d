"""Budget plans that were worked out already."""

from datetime import datetime

from ma.money import unit
from ma.services import budget_plans
from ma.services.budget_plans import Ground
from ma.simulation.planner import BudgetPlan
from ui.budget_choice import Choice
from ui.kept import kept
from ui.session import reading


def ground(choice: Choice, as_of: datetime) -> tuple[Ground, tuple]:
    """What the plans of the chosen campaigns stand on, and the key under which they are kept."""
    key = (as_of, "budget", tuple(sorted(choice.campaigns)), choice.days_apart)

    def work() -> Ground:
        with reading() as session:
            return budget_plans.ground(session, choice.campaigns, at=as_of, days_apart=choice.days_apart)

    return kept(key[1:], as_of, work, words="Counting whom each campaign could reach …").value, key


def plan(ground: Ground, key: tuple, choice: Choice, currency: str) -> BudgetPlan:
    """The plan of one budget."""

    def work() -> BudgetPlan:
        return budget_plans.plan(ground, choice.budget_minor, step_minor=100 * unit(currency))

    as_of, *rest = key
    return kept((*rest, choice.budget_minor), as_of, work, words="Looking for the best split …").value
