"""How large a rule may be, and between which days and lengths of time its values lie."""

from datetime import date

from ma.rules.nodes import Unit

MAX_DEPTH = 10
MAX_RULES = 200
MAX_VALUES = 1000
MAX_BYTES = 64 * 1024
MAX_TEXT = 500
MAX_SPLIT = 100
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
# A hundred years of each unit.
LONGEST = {Unit.DAY: 36_525, Unit.WEEK: 5_217, Unit.MONTH: 1_200, Unit.YEAR: 100}
# Ids of campaigns and segments are stored in 32 bits: PostgreSQL refuses to compare them with more.
MAX_ID = 2**31 - 1
