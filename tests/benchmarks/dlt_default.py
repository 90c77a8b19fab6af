"""The same loads as dlt does them by itself: `sql_database` over SQLAlchemy, `insert_values`."""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

import dlt
from dlt.destinations import postgres
from dlt.sources.sql_database import sql_table


@dataclass(frozen=True)
class DefaultLoad:
    """One table from one URL to another; with `key` merged by it, from the cursor on."""

    source: str
    destination: str
    table: str
    dataset: str
    work_dir: str
    key: str | None = None
    cursor: str | None = None
    limit: int | None = None

    def run(self) -> float:
        """Loads, and says in how many seconds."""
        began = time.monotonic()
        pipeline = dlt.pipeline(
            f"default_{self.dataset}",
            destination=postgres(credentials=self.destination),
            dataset_name=self.dataset,
            pipelines_dir=self.work_dir,
        )
        rows = sql_table(
            credentials=self.source.replace("postgresql://", "postgresql+psycopg2://"),
            table=self.table,
            incremental=dlt.sources.incremental(self.cursor) if self.cursor else None,
            query_adapter_callback=(lambda query, _: query.limit(self.limit))
            if self.limit
            else None,
        )
        if self.key:
            rows.apply_hints(primary_key=self.key)
        pipeline.run(rows, write_disposition="merge" if self.key else "append")
        return time.monotonic() - began

    def run_cold(self) -> None:
        """Loads in a process that has to import everything first."""
        command = [sys.executable, "-m", "tests.benchmarks.dlt_default", json.dumps(asdict(self))]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    DefaultLoad(**json.loads(sys.argv[1])).run()
