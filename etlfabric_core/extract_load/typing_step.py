"""The last step of a dlt resource: rows leave in the types of the destination."""

from typing import ClassVar

from dlt.extract.items_transform import MapItem


class TypingStep(MapItem):  # type: ignore[misc]
    """Stands behind the step that follows a cursor, which sees values as they travel."""

    placement_affinity: ClassVar[float] = 2
