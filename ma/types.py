"""The words everybody uses: roles, permissions, channels, steps, statuses."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person may do. Cumulative: each role can do everything the one before it can."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    MARKETER = "marketer"
    ADMIN = "admin"


class Permission(StrEnum):
    """One thing a person may or may not do; `PERMISSIONS` says from which role on."""

    READ = "read"
    EXPORT = "export"
    MAKE_TOKENS = "make API tokens"
    EDIT_CUSTOMERS = "edit customers"
    EDIT_SEGMENTS = "edit segments"
    EDIT_CAMPAIGNS = "edit campaigns"
    LAUNCH = "launch campaigns"
    WORK_CASES = "work on leads and tickets"
    IMPORT = "import data"
    ERASE = "erase people"
    MOVE_CLOCK = "move the demo clock"
    MANAGE_USERS = "manage users"
    MANAGE_WORKSPACE = "manage the workspace"


PERMISSIONS: dict[Permission, Role] = {
    Permission.READ: Role.VIEWER,
    Permission.EXPORT: Role.ANALYST,
    Permission.MAKE_TOKENS: Role.ANALYST,
    Permission.EDIT_CUSTOMERS: Role.MARKETER,
    Permission.EDIT_SEGMENTS: Role.MARKETER,
    Permission.EDIT_CAMPAIGNS: Role.MARKETER,
    Permission.LAUNCH: Role.MARKETER,
    Permission.WORK_CASES: Role.MARKETER,
    Permission.IMPORT: Role.MARKETER,
    Permission.MOVE_CLOCK: Role.MARKETER,
    Permission.ERASE: Role.ADMIN,
    Permission.MANAGE_USERS: Role.ADMIN,
    Permission.MANAGE_WORKSPACE: Role.ADMIN,
}

_RANK = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True)
class Actor:
    """Who is acting. `user_id` is None for the system itself (the demo builder, the command line)."""

    username: str
    role: Role
    user_id: int | None = None
    name: str = ""

    def may(self, permission: Permission) -> bool:
        """Whether this person's role includes the permission."""
        return _RANK[self.role] >= _RANK[PERMISSIONS[permission]]


def lower(one: Role, other: Role) -> Role:
    """Of two roles, the one that may do less."""
    return min(one, other, key=_RANK.__getitem__)


SYSTEM = Actor(username="system", role=Role.ADMIN, name="System")


class Channel(StrEnum):
    """How a campaign reaches people."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    DIRECT_MAIL = "direct_mail"
    ADS = "ads"

    @property
    def label(self) -> str:
        """The channel's name on screens."""
        return {"email": "E-mail", "sms": "SMS", "push": "Push", "direct_mail": "Direct mail", "ads": "Ads"}[
            self.value
        ]


# The steps that can be observed in each channel, in order. A step that is not here is unknown, never zero.
STEPS: dict[Channel, tuple[str, ...]] = {
    Channel.EMAIL: ("sent", "delivered", "opened", "clicked", "converted"),
    Channel.SMS: ("sent", "delivered", "clicked", "converted"),
    Channel.PUSH: ("sent", "delivered", "opened", "converted"),
    Channel.DIRECT_MAIL: ("sent", "converted"),
    # Sent is: handed over to the platform. It does not say to whom of them it showed the ad.
    Channel.ADS: ("sent", "clicked", "converted"),
}
FUNNEL_STEPS = ("sent", "delivered", "opened", "clicked", "converted")
# What can be observed beside the funnel; by e-mail all of it. Nobody reports complaints about text messages
# or notifications.
SIDE_STEPS: dict[Channel, tuple[str, ...]] = {
    Channel.EMAIL: ("bounced", "unsubscribed", "complained"),
    Channel.SMS: ("bounced", "unsubscribed"),
    Channel.PUSH: ("bounced", "unsubscribed"),
    Channel.DIRECT_MAIL: (),
    Channel.ADS: (),
}
# What an assumed effect may change beside the steps: what an order brings.
ORDER_VALUE = "order_value"
# Conversions that the message did not cause: only a simulation knows them.
ORGANIC = "organic"


def unknown_steps(steps: str) -> list[str]:
    """The counts of people that a campaign cannot know, from its `steps`: unknown, never zero."""
    known = steps.split(",")
    return [step for step in (*FUNNEL_STEPS, *SIDE_STEPS[Channel.EMAIL], ORGANIC) if step not in known]


class CampaignStatus(StrEnum):
    """Where a campaign is in its life."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


TRANSITIONS: dict[CampaignStatus, tuple[CampaignStatus, ...]] = {
    CampaignStatus.DRAFT: (CampaignStatus.SCHEDULED, CampaignStatus.RUNNING, CampaignStatus.CANCELLED),
    CampaignStatus.SCHEDULED: (CampaignStatus.DRAFT, CampaignStatus.RUNNING, CampaignStatus.CANCELLED),
    CampaignStatus.RUNNING: (CampaignStatus.PAUSED, CampaignStatus.COMPLETED, CampaignStatus.CANCELLED),
    CampaignStatus.PAUSED: (CampaignStatus.RUNNING, CampaignStatus.COMPLETED, CampaignStatus.CANCELLED),
    CampaignStatus.COMPLETED: (),
    CampaignStatus.CANCELLED: (),
}


class Source(StrEnum):
    """Where an outcome comes from."""

    SIMULATED = "simulated"
    IMPORTED = "imported"


class Arm(StrEnum):
    """Whether a person was sent the campaign or held out for comparison."""

    TREATED = "treated"
    HOLDOUT = "holdout"


class LeadStage(StrEnum):
    """Where a lead is in the pipeline of Sales."""

    NEW = "new"
    CONTACTED = "contacted"
    QUALIFIED = "qualified"
    PROPOSAL = "proposal"
    WON = "won"
    LOST = "lost"


OPEN_STAGES = (LeadStage.NEW, LeadStage.CONTACTED, LeadStage.QUALIFIED, LeadStage.PROPOSAL)
# What makes a lead's score, of 100: having bought, each of up to three clicks, each band of engagement.
BOUGHT_POINTS, CLICK_POINTS, MOST_CLICKS, BAND_POINTS = 50, 10, 3, 5
# Why nothing came of a lead.
LOST_REASONS = ("no answer", "no interest", "too expensive", "bought elsewhere", "not now", "other")
# The same of leads and tickets, said by the program itself.
LEFT, MERGED, WITHDRAWN = "customer left", "merged", "withdrawn"


class TicketStatus(StrEnum):
    """Where a ticket of Service is."""

    OPEN = "open"
    IN_PROGRESS = "in progress"
    CLOSED = "closed"


# How a ticket ended.
RESOLUTIONS = ("apologised", "address corrected", "explained", "nothing to do", "other")
# Why somebody who was suppressed may be written to again.
LIFT_REASONS = ("address corrected", "they asked for it", "recorded by mistake")
