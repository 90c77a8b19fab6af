"""A planted password is found nowhere: not in Airflow, not in the service, not in a file."""

import pytest

from tests.e2e.running import Stack
from tests.e2e.searching import everything, places_of
from tests.e2e.sources import Source

pytestmark = [pytest.mark.stack]

PASSWORD = "planted-Xk7wQz93-password"
WRONG = "planted-Vv2bMn55-wrong-password"


@pytest.fixture(scope="module")
def source(stack: Stack) -> Source:
    """A database with one table, behind the planted password."""
    made = Source.create(stack, "shop", PASSWORD)
    made.execute("create table orders (id int primary key, amount numeric)")
    made.execute("insert into orders values (1, 9.5), (2, 1.25)")
    return made


@pytest.mark.feature("A16", "B1", "B2", "X1")
def test_a_planted_password_is_found_nowhere(stack: Stack, source: Source) -> None:
    owner = stack.sign_up("secretive")
    good = source.connect(owner)
    orders = {"name": "orders", "write_disposition": "replace"}
    owner.pipeline("orders", good, orders, retries=0)
    owner.post(f"/connections/{good['id']}/test")
    owner.model("amounts", "select sum(amount) as total from {{ source('raw', 'orders') }}")
    owner.publish()
    run = owner.start()
    assert owner.finished(run)["state"] == "success"
    assert owner.rows("marts", "amounts") == [["10.75"]]
    body = {"config": source.config, "secrets": {"password": WRONG}}
    assert owner.http.patch(f"/connections/{good['id']}", json=body).is_success
    failed_run = owner.start()
    failed = owner.finished(failed_run)
    assert failed["state"] == "failed"
    assert "password" in str(failed["error"]), "the error says what is wrong"

    found = places_of(everything(stack, owner, (run, failed_run)), PASSWORD, WRONG)
    assert not found, found
