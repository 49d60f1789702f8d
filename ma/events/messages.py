"""Events: what happened, in the past tense. They carry ids and numbers, no names or e-mail addresses."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """Something that happened. `version` grows when a field changes its meaning or goes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: ClassVar[int] = 1


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
