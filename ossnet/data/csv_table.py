"""Reading of CSV files as spreadsheets and other programs write them."""

import codecs
import csv
import io
from collections.abc import Collection
from pathlib import Path

from ossnet.errors import UserError

SEPARATORS = ",;\t"
"""Characters that can separate the values of a table. The most frequent one in its first line is taken.

Spreadsheets write semicolons where the comma is the decimal mark.
"""


def read_csv(table: Path, reserved: Collection[str] = ()) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the column names, and each row with its line number, without blanks around values.

    The text is UTF-8, or UTF-16 with a byte-order mark, and separates values by commas, semicolons or tabs. Empty lines
    are skipped. A file without any line has no columns.

    Args:
        table: the file.
        reserved: names of columns, in lower case, that are recognised in upper case, too, and returned in lower case.

    Raises:
        UserError: the file cannot be read or is not a CSV, a column has no name or that of another, or a row has more
            or fewer values than there are columns.
    """
    text = _read_text(table)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    try:
        lines = [(reader.line_num, [value.strip() for value in row]) for row in reader if any(row)]
    except csv.Error as error:
        raise UserError(f"{table} is not a CSV file (line {reader.line_num}: {error}); correct that line") from error
    written = lines[0][1] if lines else []
    header = [column.lower() if column.lower() in reserved else column for column in written]
    for column in header:
        if not column or header.count(column) > 1:
            raise UserError(f"{table} has a column '{column}' that is empty or repeated; give each column its own name")
    for line, row in lines[1:]:
        if len(row) != len(header):
            raise UserError(
                f"{table}, line {line}: {len(row)} values for {len(header)} columns; give one value per column"
            )
    return header, [(line, dict(zip(header, row, strict=True))) for line, row in lines[1:]]


def _read_text(table: Path) -> str:
    """Read a text in UTF-8, or in UTF-16 with a byte-order mark."""
    try:
        contents = table.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {table}: {error.strerror}; give a CSV file") from error
    encoding = "utf-16" if contents.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = contents.decode(encoding)
    except UnicodeDecodeError as error:
        line = contents[: error.start].count(b"\n") + 1
        raise UserError(
            f"{table} is not a CSV file in UTF-8 (line {line}: {error.reason}); save it as 'CSV UTF-8'"
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise UserError(f"{table} is not a CSV file (line {line} contains a NUL); save it as 'CSV UTF-8'")
    return text
