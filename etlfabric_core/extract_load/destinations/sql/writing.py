"""What tells one SQL system from another when loads write to it: one record each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etlfabric_core.extract_load.lease import LeaseKeeper
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.typed import Holds

if TYPE_CHECKING:
    import pyarrow
    from dlt.common.destination import Destination

Arguments = dict[str, Any]
PARQUET = {
    "preferred_loader_file_format": "parquet",
    "supported_loader_file_formats": ["parquet"],
}
Hint = Mapping[str, Any]  # dlt's, of a column
Held = Callable[[Endpoint, LeaseKeeper], AbstractContextManager[None]]


@contextmanager
def _not_held(endpoint: Endpoint, lease: LeaseKeeper) -> Iterator[None]:
    yield


@dataclass(frozen=True)
class SqlWriting:
    """How loads write to one kind of SQL system.

    `factory` is dlt's destination, `arguments` what it is made with: its credentials lead to the
    checked addresses only. `capabilities` are those of dlt's that are other than its own. `held`
    keeps other writers away for as long as a load runs, where the system has a means of its own;
    `row_lock` ends a query that keeps the row of the lease until the commit. `folds_text`: keys of
    text that differ only in case, or in blanks at their end, are the same there. `driver` is a
    module that not every installation has, and the extra that installs it. `connecting` is a class
    that opens connections, where dlt's own cannot be told which addresses to use. `indexed` makes
    an index on the staged rows of a merge, where without one it would compare each with each.
    `reading` are the `arguments` for who writes nothing, where a writer would keep others out.
    Where keys can be compared, `inserted` writes rows to a table within the running transaction,
    and `time_type` is the type of the column that marks deleted rows.
    """

    label: str
    factory: "Callable[[], type[Destination[Any, Any]]]"
    arguments: Callable[[Endpoint], Arguments]
    holds: Holds
    capabilities: Arguments = field(default_factory=dict)
    held: Held = _not_held
    row_lock: str = ""
    folds_text: bool = False
    connecting: Callable[[Endpoint], type] | None = None
    driver: tuple[str, str] | None = None
    indexed: Callable[[Any, str, Sequence[Hint]], None] | None = None
    inserted: "Callable[[Any, str, pyarrow.Table], None] | None" = None
    time_type: str = ""
    reading: Callable[[Endpoint], Arguments] | None = None

    @property
    def arguments_to_read(self) -> Callable[[Endpoint], Arguments]:
        """As `arguments`, for somebody who writes nothing."""
        return self.reading or self.arguments
