"""What a data team brings to the load pages: an export with its oddities, and a database."""

from collections.abc import Sequence
from datetime import date, timedelta

from tests.e2e.running import Stack
from tests.e2e.sources import Source

BAD_LINE = 14  # of the export: its first column holds no number


def export(price: str = "price", more: Sequence[str] = ()) -> bytes:
    """A spreadsheet's idea of CSV: byte order mark, semicolons, decimal commas, one bad row."""
    rows = [";".join(("id", "customer", price, "sold on", *more))]
    for number in range(1, 21):
        key = "unknown" if number + 1 == BAD_LINE else str(number)
        day = date(2026, 1, 1) + timedelta(days=number)
        rows.append(f"{key};Zoë {number};{1000 + number},50;{day}" + ";any" * len(more))
    return "\ufeff".encode() + "\n".join(rows).encode()


def sales_database(stack: Stack, name: str) -> Source:
    """A database with two schemas, whose user may read all of it but one table."""
    source = Source.create(stack, name)
    source.plant(
        "create table orders (id int primary key, placed_at timestamptz not null, region text)",
        "insert into orders select n, timestamptz '2026-01-01 12:00Z' + n * interval '1 day',"
        " (array['north', 'south'])[n % 2 + 1] from generate_series(1, 30) as n",
        "create table regions (region text, manager text)",
        "insert into regions values ('north', 'Ada'), ('south', 'Grace')",
        "create table wages (person text)",
        "create schema depot; create table depot.shelves (id int primary key)",
        f"grant usage on schema depot to {name}; grant select on orders, regions to {name};"
        f"grant select on all tables in schema depot to {name}",
    )
    return source
