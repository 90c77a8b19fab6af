"""The types of SQL Server's columns that hold every value as it is, of any length."""

from typing import Any

from dlt.destinations.impl.sqlalchemy.type_mapper import MssqlVariantTypeMapper
from sqlalchemy.dialects.mssql import DATETIME2, DATETIMEOFFSET, NVARCHAR, VARBINARY

BY_CODE_POINT = "Latin1_General_100_BIN2"
MICROSECONDS = 6
KEY_CHARACTERS = 128


class LosslessTypeMapper(MssqlVariantTypeMapper):  # type: ignore[misc]
    """dlt's own times are rounded to 1/300 s, and its texts compared without regard to case."""

    def db_type_from_text_type(self, column: Any, table: Any) -> Any:
        """Text in Unicode, compared by its code points."""
        length = KEY_CHARACTERS if column.get("unique") else None  # None: of any length
        return NVARCHAR(length, collation=BY_CODE_POINT)

    def db_type_from_binary_type(self, column: Any, table: Any) -> Any:
        """Bytes."""
        return VARBINARY("max")  # type: ignore[no-untyped-call]

    def db_type_from_timestamp_type(self, column: Any, table: Any) -> Any:
        """Times to the microsecond, with their zone where they have one."""
        zoned = column.get("timezone") is not False
        kind: Any = DATETIMEOFFSET if zoned else DATETIME2
        return kind(MICROSECONDS)
