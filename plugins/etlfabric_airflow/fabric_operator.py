"""What every task of a workflow is to Airflow."""

from collections.abc import Sequence
from typing import Any, ClassVar

from airflow.sdk import BaseOperator


class FabricOperator(BaseOperator):
    """Base: no templates, and the workflow's revision as part of the serialized DAG.

    With the revision in it, an edit is a new DAG version even where the graph looks the same.
    """

    template_fields: Sequence[str] = ()
    _own_fields: ClassVar[frozenset[str]] = frozenset({"revision", "node"})

    def __init__(self, *, node: str, revision: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.node = node
        self.revision = revision

    @classmethod
    def get_serialized_fields(cls) -> frozenset[str]:
        return frozenset(BaseOperator.get_serialized_fields() | cls._own_fields)
