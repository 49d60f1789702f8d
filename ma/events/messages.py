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


class CustomersImported(Event):
    customers: int
    source: str


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
