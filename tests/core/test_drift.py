"""How headers differ."""

import pytest

from etlfabric_core.files.drift import Drift, Renamed, drift

pytestmark = pytest.mark.feature("X20")
BEFORE = ["id", "Full Name", "price", "city"]


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (BEFORE, Drift((), (), (), reordered=False)),
        (["price", *BEFORE[:2], "city"], Drift((), (), (), reordered=True)),
        ([*BEFORE, "mail"], Drift(("mail",), (), (), reordered=False)),
        (BEFORE[1:], Drift((), ("id",), (), reordered=False)),
        (
            ["id", "full_name", "prices", "zip"],
            Drift(
                ("zip",),
                ("city",),
                (Renamed("Full Name", "full_name"), Renamed("price", "prices")),
                reordered=False,
            ),
        ),
        (
            ["x_price", "price_2", "id", "Full Name", "city"],
            Drift(("x_price",), (), (Renamed("price", "price_2"),), reordered=False),
        ),
    ],
)
def test_drift(after: list[str], found: Drift) -> None:
    assert drift(BEFORE, after) == found
