"""Events: what happened, in the past tense. They carry ids and numbers, no names or e-mail addresses."""

from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

# Of one event that tells of many people: the longest list it carries.
MOST_PEOPLE = 1_000


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Event(_Plain):
    """Something that happened. `version` grows when a field changes its meaning or goes."""

    version: ClassVar[int] = 1
    # Whose outbox it is recorded in.
    module: ClassVar[str] = "ma"


class CustomerCreated(Event):
    customer_id: int


class CustomerUpdated(Event):
    customer_id: int
    fields: list[str]


class CustomerDeleted(Event):
    customer_id: int


class ConsentChanged(Event):
    """Channels that a customer now allows, and those they no longer allow."""

    customer_id: int
    allowed: list[str]
    withdrawn: list[str]


class CustomersTagged(Event):
    tag_id: int
    customers: int


class CustomersUntagged(Event):
    tag_id: int
    customers: int


class CustomerAttributesChanged(Event):
    customer_id: int
    attribute_ids: list[int]


class AttributeDefined(Event):
    attribute_id: int
    kind: str


class AttributeChanged(Event):
    attribute_id: int


class AttributeDeleted(Event):
    attribute_id: int


class NoteAdded(Event):
    note_id: int
    customer_id: int


class NoteEdited(Event):
    note_id: int
    customer_id: int


class NoteDeleted(Event):
    note_id: int
    customer_id: int


class CustomerErased(Event):
    """Whoever keeps data on them erases it too. What waited to be told about them is not sent any more."""

    customer_id: int


class CustomersMerged(Event):
    """Two records were one person: what belonged to `merged_id` belongs to `customer_id`."""

    customer_id: int
    merged_id: int


class CustomersScored(Event):
    """Every customer's scores were worked out anew; `model_id` is the version of the value models."""

    model_id: int
    customers: int


class CustomersImported(Event):
    customers: int
    source: str


class ImportApplied(Event):
    """A file came in; `kind` is customers, purchases, events or consent. Counts are rows of the file."""

    import_id: int
    kind: str
    new: int
    changed: int


class ImportUndone(Event):
    """A file was taken back; what somebody changed since was kept."""

    import_id: int
    kind: str
    removed: int
    restored: int
    kept: int


class SegmentCreated(Event):
    segment_id: int


class SegmentUpdated(Event):
    segment_id: int


class SegmentDeleted(Event):
    segment_id: int


class SegmentRefreshed(Event):
    segment_id: int
    size: int
    entered: int
    left: int


class CampaignCreated(Event):
    campaign_id: int
    channel: str


class CampaignUpdated(Event):
    campaign_id: int


class CampaignScheduled(Event):
    campaign_id: int


class CampaignLaunched(Event):
    campaign_id: int
    channel: str
    sent: int
    holdout: int


class CampaignWaveSent(Event):
    campaign_id: int
    wave: int
    sent: int


class CampaignPaused(Event):
    campaign_id: int


class CampaignResumed(Event):
    campaign_id: int


class CampaignCompleted(Event):
    campaign_id: int


class CampaignCancelled(Event):
    campaign_id: int


class CampaignImported(Event):
    campaign_id: int
    channel: str
    sent: int


class RecordedOutcome(_Plain):
    """One person took a step. The band is that of their engagement when they were sent the campaign: 0 is
    below 20, 4 from 80 on. Revenue comes with conversions only."""

    customer_id: int
    at: AwareDatetime
    engagement_band: Annotated[int, Field(ge=0, le=4)] | None = None
    revenue_minor: int | None = None


class OutcomesRecorded(Event):
    """People who were sent a campaign took a step, each for the first time: at most 1,000 in one event.

    Told when the time of the step has come. People held out are not told of: whoever acted on them would
    spoil the comparison.
    """

    campaign_id: int
    channel: str
    step: Literal["bounced", "clicked", "converted", "unsubscribed", "complained"]
    outcomes: Annotated[list[RecordedOutcome], Field(min_length=1, max_length=MOST_PEOPLE)]


class OutcomesWithdrawn(Event):
    """An import was taken back: these people did not take this step after all, as far as is known."""

    campaign_id: int
    channel: str
    step: Literal["bounced", "clicked", "converted", "unsubscribed", "complained"]
    customer_ids: Annotated[list[int], Field(min_length=1, max_length=MOST_PEOPLE)]


# Sales


class OpenedLead(_Plain):
    """A lead, whose it is, and why."""

    lead_id: int
    customer_id: int
    campaign_id: int
    channel: str
    reason: Literal["conversion", "hot_click"]
    score: Annotated[int, Field(ge=0, le=100)]
    at: AwareDatetime


class LeadsOpened(Event):
    """People showed so much interest that somebody should talk to them: at most 1,000 in one event."""

    module: ClassVar[str] = "sales"
    leads: Annotated[list[OpenedLead], Field(min_length=1, max_length=MOST_PEOPLE)]


class LeadWon(Event):
    """A person bought; `value_minor` is what they will pay."""

    module: ClassVar[str] = "sales"
    lead_id: int
    customer_id: int
    campaign_id: int
    value_minor: Annotated[int, Field(ge=0)]


class LeadLost(Event):
    """Nothing will come of a lead; `reason` says why."""

    module: ClassVar[str] = "sales"
    lead_id: int
    customer_id: int
    campaign_id: int
    reason: str


# Service


class OpenedTicket(_Plain):
    """A ticket; `customer_id` is None where it is of several people."""

    ticket_id: int
    kind: Literal["complaint", "bounces", "unsubscriptions"]
    customer_id: int | None
    campaign_id: int
    channel: str
    at: AwareDatetime


class TicketsOpened(Event):
    """Something must be looked into: at most 1,000 tickets in one event."""

    module: ClassVar[str] = "service"
    tickets: Annotated[list[OpenedTicket], Field(min_length=1, max_length=MOST_PEOPLE)]


class TicketClosed(Event):
    """A ticket is done; `resolution` says how it ended."""

    module: ClassVar[str] = "service"
    ticket_id: int
    kind: str
    customer_id: int | None
    campaign_id: int
    resolution: str


class NewSuppression(_Plain):
    """Somebody who is not to be written to in a channel from now on."""

    customer_id: int
    at: AwareDatetime


class CustomersSuppressed(Event):
    """People are not to be written to in a channel any more: at most 1,000 in one event."""

    module: ClassVar[str] = "service"
    campaign_id: int
    channel: str
    reason: Literal["bounced", "unsubscribed", "complained"]
    people: Annotated[list[NewSuppression], Field(min_length=1, max_length=MOST_PEOPLE)]


class SuppressionsLifted(Event):
    """People may be written to in a channel as before: it was not so, or somebody of Service lifted it.

    `reason` is why they were suppressed, where somebody lifted it; None where it was not so.
    """

    module: ClassVar[str] = "service"
    channel: str
    reason: Literal["bounced", "unsubscribed", "complained"] | None = None
    customer_ids: Annotated[list[int], Field(min_length=1, max_length=MOST_PEOPLE)]


# Every message by its name, which is its type in the outbox and in the stream.
MESSAGES: dict[str, type[Event]] = {message.__name__: message for message in Event.__subclasses__()}
