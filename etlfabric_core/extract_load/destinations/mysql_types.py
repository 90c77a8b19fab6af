"""The types of MySQL's columns that hold every value as it is, of any length."""

from typing import Any

from dlt.destinations.impl.sqlalchemy.type_mapper import MysqlVariantTypeMapper
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT, VARCHAR

# Texts that differ in case, accents or blanks at their end are different texts.
COLLATIONS = {True: "utf8mb4_nopad_bin", False: "utf8mb4_0900_bin"}  # MariaDB's, and MySQL's
KEY_CHARACTERS = 128


class LosslessTypeMapper(MysqlVariantTypeMapper):  # type: ignore[misc]
    """dlt's own types end at 64 KiB, and compare texts as the server happens to be set up."""

    def db_type_from_text_type(self, column: Any, table: Any) -> Any:
        """Text, compared by its bytes."""
        how = {
            "charset": "utf8mb4",
            "collation": COLLATIONS[bool(getattr(self.dialect, "is_mariadb", False))],
        }
        return VARCHAR(KEY_CHARACTERS, **how) if column.get("unique") else LONGTEXT(**how)

    def db_type_from_binary_type(self, column: Any, table: Any) -> Any:
        """Bytes."""
        return LONGBLOB()
