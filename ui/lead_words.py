"""What leads are called on screens."""

import pandas as pd

from ma.charts.leads import STAGES

REASONS = {"conversion": "Bought", "hot_click": "Clicked, very engaged"}
STEPS = {"converted": "Bought", "clicked": "Clicked"}
PARTS = {"bought": "Bought", "clicks": "Clicks", "engagement": "Engagement"}
ACTIONS = {
    "open": "Opened",
    "move": "Moved to",
    "assign": "Given to",
    "note": "Note written",
    "won": "Won",
    "lost": "Lost",
    "take": "Taken by",
    "close": "Closed",
}
NOBODY = "Nobody"
__all__ = ["ACTIONS", "NOBODY", "PARTS", "REASONS", "STAGES", "STEPS", "action", "person"]


def person(names: dict[int, str], customer_id: object) -> str:
    """What to call a customer: their name; that they were deleted or erased."""
    if customer_id is None or pd.isna(customer_id):
        return "Erased"
    return names.get(int(customer_id), "Deleted customer")


def action(row, details: dict[str, str]) -> str:
    """An entry of a case's history in words; `details` has what its details are called."""
    word = ACTIONS.get(row.action, row.action.capitalize())
    if not isinstance(row.detail, str):
        return f"{word} nobody" if row.action == "assign" else word
    between = " " if row.action in ("move", "assign", "take") else ": "
    return f"{word}{between}{details.get(row.detail, row.detail)}"
