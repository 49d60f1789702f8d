"""Small letters and parts of texts in SQL, the same on every engine."""

from sqlalchemy import String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement


class ascii_lower(FunctionElement):
    """A text with A-Z made small and every other letter left as it is."""

    inherit_cache = True
    name = "ascii_lower"
    type = String()


@compiles(ascii_lower, "sqlite")
def _sqlite(element, compiler, **kw):
    return f"lower({compiler.process(element.clauses, **kw)})"


@compiles(ascii_lower, "postgresql")
def _postgresql(element, compiler, **kw):
    # Any other collation would fold letters beyond ASCII too, in a way that depends on the server.
    return f'lower({compiler.process(element.clauses, **kw)} COLLATE "C")'


class email_name(FunctionElement):
    """What stands before the @ of an e-mail address; NULL for NULL."""

    inherit_cache = True
    name = "email_name"
    type = String()


@compiles(email_name, "sqlite")
def _sqlite_email_name(element, compiler, **kw):
    text = compiler.process(element.clauses, **kw)
    return f"substr({text}, 1, instr({text}, '@') - 1)"


@compiles(email_name, "postgresql")
def _postgresql_email_name(element, compiler, **kw):
    return f"split_part({compiler.process(element.clauses, **kw)}, '@', 1)"
