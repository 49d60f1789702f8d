"""What tickets and suppressions are called on screens."""

from ma.analytics.tickets import NOT_CLOSED
from ma.types import TicketStatus

KINDS = {"complaint": "Complaint", "bounces": "Bounces", "unsubscriptions": "Unsubscriptions"}
STATUSES = {status.value: status.value.capitalize() for status in TicketStatus}
REASONS = {"bounced": "Bounced", "unsubscribed": "Unsubscribed", "complained": "Complained"}
__all__ = ["KINDS", "NOT_CLOSED", "REASONS", "STATUSES"]
