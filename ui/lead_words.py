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
    """An entry of a case's history in words."""
    word = ACTIONS.get(row.action, row.action.capitalize())
    if row.action == "assign" and not isinstance(row.detail, str):
        return "Given to nobody"
    detail = details.get(row.detail, row.detail) if isinstance(row.detail, str) else ""
    return (
        f"{word} {detail}"
        if row.action in ("move", "assign", "take")
        else ": ".join(filter(None, (word, detail)))
    )
