"""SQLAlchemy tables, no behaviour. Importing this package registers them all."""

from ma.models.audit import Audit
from ma.models.base import SCHEMA, Base, UtcTime
from ma.models.behaviour import BehaviourEvent
from ma.models.campaign import Campaign, CampaignAggregate, CampaignExclusion, CampaignResult
from ma.models.customer import (
    Attribute,
    AttributeValue,
    ConsentChange,
    Customer,
    CustomerTag,
    DistinctPair,
    ErasedIdentity,
    Note,
    Tag,
)
from ma.models.importing import ImportChange, ImportMapping, ImportRun
from ma.models.outbox import OutboxEvent
from ma.models.outcome import Outcome
from ma.models.purchase import Category, Purchase, PurchaseLine
from ma.models.segment import RefreshRun, Segment, SegmentMember, SegmentRefresh, SegmentVersion
from ma.models.user import SignInFailure, SignInTicket, User, UserSession
from ma.models.value import CustomerScore, ValueModel
from ma.models.view import SavedView
from ma.models.workspace import Workspace

__all__ = [
    "SCHEMA",
    "Attribute",
    "AttributeValue",
    "Audit",
    "Base",
    "BehaviourEvent",
    "Campaign",
    "CampaignAggregate",
    "CampaignExclusion",
    "CampaignResult",
    "Category",
    "ConsentChange",
    "Customer",
    "CustomerScore",
    "CustomerTag",
    "DistinctPair",
    "ErasedIdentity",
    "ImportChange",
    "ImportMapping",
    "ImportRun",
    "Note",
    "OutboxEvent",
    "Outcome",
    "Purchase",
    "PurchaseLine",
    "RefreshRun",
    "SavedView",
    "Segment",
    "SegmentMember",
    "SegmentRefresh",
    "SegmentVersion",
    "SignInFailure",
    "SignInTicket",
    "Tag",
    "User",
    "UserSession",
    "UtcTime",
    "ValueModel",
    "Workspace",
]
