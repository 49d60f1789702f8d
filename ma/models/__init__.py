"""SQLAlchemy tables, no behaviour. Importing this package registers them all."""

from ma.models.audit import Audit
from ma.models.base import SCHEMA, SCHEMAS, Base, SalesBase, ServiceBase, UtcTime
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
from ma.models.fact import CustomerFact
from ma.models.importing import ImportChange, ImportMapping, ImportRun
from ma.models.inbox import MaDeadLetter, MaInbox
from ma.models.outbox import OutboxEvent
from ma.models.outcome import Outcome, OutcomePublication
from ma.models.purchase import Category, Purchase, PurchaseLine
from ma.models.sales import (
    Lead,
    LeadChange,
    SalesDeadLetter,
    SalesInbox,
    SalesOutbox,
    SalesPerson,
    SalesRep,
    SalesSignal,
)
from ma.models.segment import RefreshRun, Segment, SegmentMember, SegmentRefresh, SegmentVersion
from ma.models.service import (
    ServiceDeadLetter,
    ServiceInbox,
    ServiceOutbox,
    ServicePerson,
    ServiceSignal,
    Suppression,
    Ticket,
    TicketChange,
)
from ma.models.token import ApiToken, IdempotencyKey
from ma.models.user import Identity, SignInFailure, SignInTicket, UsedIdToken, User, UserSession
from ma.models.value import CustomerScore, ValueModel
from ma.models.view import SavedView
from ma.models.webhook import Webhook, WebhookDeadLetter, WebhookDelivery, WebhookInbox, WebhookType
from ma.models.workspace import Workspace

__all__ = [
    "SCHEMA",
    "SCHEMAS",
    "ApiToken",
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
    "CustomerFact",
    "CustomerScore",
    "CustomerTag",
    "DistinctPair",
    "ErasedIdentity",
    "IdempotencyKey",
    "Identity",
    "ImportChange",
    "ImportMapping",
    "ImportRun",
    "Lead",
    "LeadChange",
    "MaDeadLetter",
    "MaInbox",
    "Note",
    "OutboxEvent",
    "Outcome",
    "OutcomePublication",
    "Purchase",
    "PurchaseLine",
    "RefreshRun",
    "SalesBase",
    "SalesDeadLetter",
    "SalesInbox",
    "SalesOutbox",
    "SalesPerson",
    "SalesRep",
    "SalesSignal",
    "SavedView",
    "Segment",
    "SegmentMember",
    "SegmentRefresh",
    "SegmentVersion",
    "ServiceBase",
    "ServiceDeadLetter",
    "ServiceInbox",
    "ServiceOutbox",
    "ServicePerson",
    "ServiceSignal",
    "SignInFailure",
    "SignInTicket",
    "Suppression",
    "Tag",
    "Ticket",
    "TicketChange",
    "UsedIdToken",
    "User",
    "UserSession",
    "UtcTime",
    "ValueModel",
    "Webhook",
    "WebhookDeadLetter",
    "WebhookDelivery",
    "WebhookInbox",
    "WebhookType",
    "Workspace",
]
