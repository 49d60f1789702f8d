"""Permission lives here: the first line of every service function."""

from ma.errors import NotAllowed
from ma.types import PERMISSIONS, Actor, Permission


def require(actor: Actor, permission: Permission) -> None:
    """Raises NotAllowed, saying which role is needed, unless the actor's role includes the permission."""
    if not actor.may(permission):
        needed = PERMISSIONS[permission]
        raise NotAllowed(
            f"Your role ({actor.role}) may not {permission}. Ask an admin for the role {needed}."
        )
