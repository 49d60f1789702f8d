"""Parquet: sizes checked from its own table of contents, typed cells as canonical text."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ma.errors import FileProblem
from ma.files.limits import UNPACKED, check_table, too_big
from ma.files.typed_text import text_of


def table(content: bytes) -> pa.Table:
    """The table of a Parquet file, every column as text. Raises FileProblem with the remedy."""
    try:
        # Dictionaries stay ones while reading: a text that a million rows share is held once.
        file = pq.ParquetFile(pa.BufferReader(content))
        found = file.metadata
        check_table(found.num_rows, found.num_columns)
        groups = [found.row_group(number).total_byte_size for number in range(found.num_row_groups)]
        if sum(groups) > UNPACKED:
            raise too_big("The unpacked file")
        texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
        cells = pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts).read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FileProblem("The Parquet file is damaged. Write it again.") from error
    _check_size(cells)
    columns = [_as_text(cells.column(place), cells.field(place)) for place in range(cells.num_columns)]
    return pa.table(columns, names=cells.column_names)


def _check_size(cells: pa.Table) -> None:
    """Raises FileProblem where the texts, written out, would fill the memory."""
    size = 0
    for column in cells.columns:
        for chunk in column.chunks:
            if pa.types.is_dictionary(chunk.type):
                lengths = pc.binary_length(chunk.dictionary).cast(pa.int64())
                size += pc.sum(lengths.take(chunk.indices)).as_py() or 0
    if size > UNPACKED:
        raise too_big("The text of the file")


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _as_text(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    kind = field.type
    if (pa.types.is_dictionary(kind) and _is_text(kind.value_type)) or _is_text(kind):
        plain = column.cast(pa.large_string())
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.string()).cast(pa.large_string())
    elif pa.types.is_null(kind):
        return pa.chunked_array([pa.nulls(len(column), pa.large_string())])
    elif pa.types.is_floating(kind) or pa.types.is_temporal(kind):
        return _each_distinct(column)
    else:
        raise FileProblem(
            f"The column '{field.name}' holds {kind}, not single values. Leave it out or write it as text."
        )
    return pc.if_else(pc.equal(plain, ""), pa.scalar(None, pa.large_string()), plain)


def _each_distinct(column: pa.ChunkedArray) -> pa.ChunkedArray:
    coded = column.combine_chunks().dictionary_encode()
    try:
        texts = [text_of(value) for value in coded.dictionary.to_pylist()]
    except (ValueError, OverflowError) as error:
        raise FileProblem("A date of the Parquet file lies outside the calendar. Correct it.") from error
    return pa.chunked_array([pa.array(texts, pa.large_string()).take(coded.indices)])
