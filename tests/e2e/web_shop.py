"""An organization with everything in it, for tests that look at every page."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from tests.e2e.running import Account, Stack

CUSTOMERS = (
    "id,name,country",
    *("1,Ada,GB", "2,Grace,US", "3,Edsger,NL", "4,Barbara,US"),
    "five,Nobody,XX",  # is put aside: this is no number
)
STOCK = b"item,price\nlamp,20\n"
NEWER_STOCK = b"item,colour\nlamp,red\n"
STATES = ("paid", "open", "sent")
STAGING = """select
    id::int as order_id,
    customer_id::int as customer_id,
    placed_on::date as placed_on,
    amount::numeric as amount,
    state
from {{ source('raw', 'orders') }}"""
SALES = """select c.country, count(*) as orders, sum(o.amount) as amount
from {{ ref('stg_orders') }} as o
join {{ source('raw', 'customers') }} as c on c.id::int = o.customer_id
group by c.country"""


@dataclass(frozen=True)
class Shop:
    """Ids of what there is to see."""

    account: Account
    connection: int
    pipeline: int
    stock: int
    model: int
    workflow: int
    run: dict[str, Any]

    @property
    def views(self) -> dict[str, tuple[str, str]]:
        """By name: an address, and a text that only the right view shows."""
        run = f"/runs/{quote(self.run['dag_id'])}/{quote(self.run['run_id'], safe='')}"
        connection = f"/connections/{self.connection}"
        tables = f"{connection}?tab=tables&table=orders.csv"
        model, flow = f"/transformations/{self.model}", f"/workflows/{self.workflow}"
        return {
            "home": ("/", "Last runs"),
            "connections": ("/connections?q=shop", "shop files"),
            "connector-choice": ("/connections/new", "PostgreSQL"),
            "connection-new": ("/connections/new?connector=postgres", "Password"),
            "connection": (connection, "orders.csv"),
            "connection-tables": (f"{connection}?tab=tables", "Choose a table"),
            "connection-columns": (tables, "not timestamps"),
            "connection-rows": (
                f"{tables}&pane=preview",
                "first 50",
            ),
            "connection-profile": (
                f"{tables}&pane=profile",
                "Of all",
            ),
            "connection-tests": (f"{connection}?tab=tests", "Answer after"),
            "pipelines": ("/pipelines", "2 resources from shop files"),
            "pipeline-new": (f"/pipelines/new?source={self.connection}", "orders.csv"),
            "pipeline": (f"/pipelines/{self.pipeline}", "customers.csv"),
            "pipeline-rejected": (
                f"/pipelines/{self.pipeline}?tab=rejected&table=customers",
                "not an integer",
            ),
            "pipeline-tables": (
                f"/pipelines/{self.pipeline}?tab=tables&table=orders",
                "first 100 rows",
            ),
            "transformations": ("/transformations?q=stg", "stg_orders"),
            "transformation-new": ("/transformations/new", "Available tables"),
            "transformation": (model, "order_id"),
            "transformation-tests": (f"{model}?tab=tests", "Add a column test"),
            "transformation-preview": (f"{model}?tab=preview", "2026-01-02"),
            "transformation-failures": (f"{model}?tab=failures", "row, as warn"),
            "pipeline-state": (f"/pipelines/{self.pipeline}?tab=state", "Loaded up to"),
            "workflows": ("/workflows", "revision 1"),
            "workflow": (f"{flow}?node=stg_orders", "Run only this"),
            "workflow-edges": (f"{flow}?tab=edges", "ref() or source()"),
            "workflow-schedules": (f"{flow}?tab=schedules", "New schedule"),
            "workflow-backfill": (f"{flow}?tab=backfill", "New backfill"),
            "workflow-revisions": (f"{flow}?tab=revisions", "in force"),
            "schema-changes": ("/schema-changes", "waits for approval"),
            "schema-changes-empty": ("/schema-changes?state=rejected", "No changes here"),
            "pipeline-changes": (f"/pipelines/{self.stock}?tab=changes", "gone: was text"),
            "runs": (f"/runs?workflow={self.workflow}&state=success", "manual"),
            "run": (run, "begin"),
            "run-tables": (f"{run}?tab=tables", "customers"),
            "run-dbt": (f"{run}?tab=dbt", "warning"),
            "run-logs": (f"{run}?tab=logs&task=shop", "info"),
            "tables": ("/tables?table=marts.sales", "first 100 rows"),
            "not-found": ("/nowhere", "There is nothing at this address"),
        }


def orders(count: int = 240) -> bytes:
    """Orders of a year; two of them belong to a customer that nobody knows."""
    first = date(2026, 1, 1)
    lines = ["id,customer_id,placed_on,amount,state"]
    for number in range(1, count + 1):
        customer = 99 if number % 120 == 0 else number % 4 + 1
        placed = first + timedelta(days=number)
        amount = f"{number * 7 % 90}.50"
        lines.append(f"{number},{customer},{placed},{amount},{STATES[number % 3]}")
    return "\n".join(lines).encode()


def open_shop(stack: Stack, organization: str) -> Shop:
    """Makes it through the API and runs it; then a file has changed, and its load is held."""
    account = stack.sign_up(organization)
    customers = "\n".join(CUSTOMERS).encode()
    pipeline = account.csv_pipeline(
        "shop",
        {"orders": orders(), "customers": customers},
        columns={"id": {"type": "integer"}},
        on_bad_row="quarantine",
    )
    tests = [
        {"type": "unique", "column": "order_id"},
        {"type": "accepted_values", "column": "state", "values": STATES},
        {
            "type": "accepted_values",
            "column": "customer_id",
            "values": ["1", "2", "3", "4"],
            "severity": "warn",
        },
    ]
    model = account.model("stg_orders", STAGING, tests=tests)
    account.model("sales", SALES)
    account.post(f"/connections/{pipeline['source_connection_id']}/test")
    workflow = account.workflow()["id"]
    account.post(
        "/schedules",
        {"workflow_id": workflow, "cron": "0 6 * * 1-5", "timezone": "America/New_York"},
    )
    stock = account.csv_pipeline("stock", {"stock": STOCK})
    account.hold_changes(stock)
    account.publish()
    run = account.finished(account.start())
    assert run["state"] == "success", run
    account.replace_file(stock, "stock.csv", NEWER_STOCK)
    held = account.finished(account.start("stock"))
    assert held["state"] == "failed", held
    return Shop(
        account,
        pipeline["source_connection_id"],
        pipeline["id"],
        stock["id"],
        model["id"],
        workflow,
        run,
    )
