"""Whether the API answers and reaches its database; for everybody."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from ma.analytics.workspace import workspace
from ma.api.answers import sent
from ma.api.routing import Open
from ma.services.idempotency import Answer

router = APIRouter(tags=["health"], route_class=Open)


class Health(BaseModel):
    """All is well; anything else is a problem (503)."""

    status: str


@router.get("/health", response_model=Health)
def health(request: Request) -> Response:
    """Whether the API answers and reaches its database."""
    with request.app.state.database().reading() as session:
        workspace(session)
    return sent(Answer(200, {"status": "ok"}))
