"""What a report is to be about, as its address says it: ?from=2026-01-01&to=2026-03-31&campaigns=1,2."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from ma.errors import InvalidInput
from ma.report.days import days
from ma.text import whole_number

PARAMETERS = ("from", "to", "campaigns")


@dataclass(frozen=True)
class Choice:
    """Campaigns launched on days in [start, end); all of them, or those given."""

    start: date | None = None
    end: date | None = None
    campaign_ids: tuple[int, ...] | None = None

    def address(self) -> dict[str, str]:
        """The parameters of the address that say this."""
        said = {
            "from": self.start and f"{self.start}",
            "to": self.end and f"{self.end - timedelta(days=1)}",
            "campaigns": self.campaign_ids and ",".join(map(str, self.campaign_ids)),
        }
        return {name: text for name, text in said.items() if text}

    def arguments(self) -> dict:
        """The same for the functions that make a report."""
        ids = None if self.campaign_ids is None else list(self.campaign_ids)
        return {"start": self.start, "end": self.end, "campaign_ids": ids}


def from_address(params: Mapping[str, str]) -> Choice:
    """The choice that an address says. Raises InvalidInput, InvalidPeriod."""
    if unknown := [name for name in params if name not in PARAMETERS]:
        raise InvalidInput({name: f"A report has no parameter '{name}'." for name in unknown})
    start, end = days(params.get("from"), params.get("to"))
    text = params.get("campaigns")
    ids = tuple(whole_number(part) for part in text.split(",")) if text else None
    if ids and None in ids:
        raise InvalidInput({"campaigns": f"'{text}' is no list of campaigns, such as 1,2."})
    return Choice(start, end, ids)
