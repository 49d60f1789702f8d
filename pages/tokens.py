"""API tokens: what programs sign in with, shown once, listed and revoked."""

from ma.types import Permission
from ui import token_list
from ui.page import page

actor = page("API tokens", Permission.MAKE_TOKENS)
token_list.draw(actor)
