"""The people behind a bar of a chart: who came as far as a step, and the way to a segment of them."""

from ma.types import Permission
from ui import result_people
from ui.links import link
from ui.page import page

actor = page("People behind the results", Permission.READ)
link("results", "Results", icon=":material/arrow_back:", **result_people.way_back())
result_people.show(actor)
