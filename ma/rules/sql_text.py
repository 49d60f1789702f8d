"""A select as SQL text with its values written into it, for people who read it or run it elsewhere."""

from sqlalchemy import Select
from sqlalchemy.dialects import postgresql, sqlite

from ma.errors import InvalidInput

_DIALECTS = {"sqlite": sqlite.dialect, "postgresql": postgresql.dialect}


def sql_text(select: Select, dialect: str) -> str:
    """The text of a select for "sqlite" or "postgresql". Raises InvalidInput for another dialect."""
    if dialect not in _DIALECTS:
        raise InvalidInput(
            {"dialect": f"There is no SQL for '{dialect}'. Use one of {', '.join(_DIALECTS)}."}
        )
    # Parameters by name: with others, a percent sign in a value would be doubled.
    written_for = _DIALECTS[dialect](paramstyle="named")
    if dialect == "sqlite":
        # Its tables stand in no schema. (A translation map would also be applied to the text of values.)
        written_for.identifier_preparer.schema_for_object = lambda table: None
    return str(select.compile(dialect=written_for, compile_kwargs={"literal_binds": True}))
