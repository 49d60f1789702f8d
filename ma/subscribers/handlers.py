"""What each listener does with the events it listens to. `ma.events.modules` says the same to the relay."""

from ma.subscribers import facts, sales, service, webhooks
from ma.subscribers.inbox import Handlers

HANDLERS: dict[str, Handlers] = {
    "ma": facts.HANDLERS,
    "sales": sales.HANDLERS,
    "service": service.HANDLERS,
    "webhooks": webhooks.HANDLERS,
}
