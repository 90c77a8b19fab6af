"""What happens to rows between the source and dlt, for every connector alike.

The order is fixed: filter → rename → functions → type → calculate → defaults → mask → write.
Filters belong to the readers: those of databases push them into the source's SQL.
"""

from etlfabric_core.graph.resources import ResourceConfig, SchemaContract


def is_identity(resource: ResourceConfig) -> bool:
    """Whether the rows of a resource pass as they are, all of them and with all their columns."""
    return (
        not resource.columns
        and not resource.calculated
        and resource.other_columns == "include"
        and resource.on_bad_row == "fail"
        and resource.minimum_rows == 0
        and resource.contract == SchemaContract()
    )
