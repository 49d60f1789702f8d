"""What each module does with the events it listens to. `ma.events.modules` says the same to the relay."""

from ma.subscribers import facts, sales, service
from ma.subscribers.inbox import Handlers

HANDLERS: dict[str, Handlers] = {
    "ma": facts.HANDLERS,
    "sales": sales.HANDLERS,
    "service": service.HANDLERS,
}
