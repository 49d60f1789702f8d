"""Possible duplicates: records that may be one person, to merge or to tell apart."""

from ma.types import Permission
from ui import customer_duplicates
from ui.page import page

actor = page("Possible duplicates", Permission.READ)
customer_duplicates.show(actor)
