"""Stripe: the REST connector with the endpoints of an account."""

from pydantic import Field, SecretStr

from etlfabric_core.connectors.browse import whole_list
from etlfabric_core.connectors.files import FieldType
from etlfabric_core.connectors.record import (
    Connector,
    ConnectorModel,
    Direction,
    Proof,
    parse,
)
from etlfabric_core.connectors.rest import (
    WEB,
    Api,
    Incremental,
    Paginator,
    RestConfig,
    RestOptions,
    RestSecrets,
    describer,
    hosts_of,
    lister,
    tester,
)
from etlfabric_core.extract_load.plan import Endpoint

# The next page begins after the last object of this one.
PAGES = Paginator(
    type="cursor",
    cursor_path="data[-1].id",
    cursor_param="starting_after",
    has_more_path="has_more",
)
INTEGER, TEXT, FLAG, JSON = FieldType.INTEGER, FieldType.TEXT, FieldType.BOOLEAN, FieldType.JSON
# `created` counts seconds; the filter takes objects from that second on.
SINCE = Incremental(start_param="created[gte]", end_param="created[lt]", format="epoch")
OBJECT = {"id": TEXT, "created": INTEGER, "livemode": FLAG, "metadata": JSON}
MONEY = {**OBJECT, "amount": INTEGER, "currency": TEXT, "status": TEXT}


class StripeConfig(ConnectorModel):
    """Which account."""

    account: str = Field(
        "", pattern=r"^(acct_[A-Za-z0-9]+)?$", description="A connected account, of a platform."
    )
    base_url: str = Field("https://api.stripe.com/v1", pattern=WEB, max_length=500)


class StripeSecrets(ConnectorModel):
    """A key that may read."""

    secret_key: SecretStr = Field(min_length=1)


def _endpoint(path: str, fields: dict[str, FieldType]) -> RestOptions:
    return RestOptions(
        path=path,
        params={"limit": 100},
        records="data",
        paginator=PAGES,
        incremental=SINCE,
        fields=fields,
    )


ENDPOINTS: dict[str, RestOptions] = {
    "customers": _endpoint(
        "customers", {**OBJECT, "email": TEXT, "name": TEXT, "balance": INTEGER}
    ),
    "charges": _endpoint("charges", {**MONEY, "customer": TEXT, "paid": FLAG, "refunded": FLAG}),
    "payment_intents": _endpoint("payment_intents", {**MONEY, "customer": TEXT}),
    "invoices": _endpoint(
        "invoices",
        {**OBJECT, "customer": TEXT, "status": TEXT, "currency": TEXT, "total": INTEGER},
    ),
    "refunds": _endpoint("refunds", {**MONEY, "charge": TEXT}),
    "subscriptions": _endpoint(
        "subscriptions", {**OBJECT, "customer": TEXT, "status": TEXT, "items": JSON}
    ),
    "products": _endpoint("products", {**OBJECT, "name": TEXT, "active": FLAG}),
    "prices": _endpoint(
        "prices", {**OBJECT, "product": TEXT, "currency": TEXT, "unit_amount": INTEGER}
    ),
    "payouts": _endpoint("payouts", {**MONEY, "arrival_date": INTEGER}),
    "balance_transactions": _endpoint(
        "balance_transactions",
        {"id": TEXT, "created": INTEGER, "amount": INTEGER, "fee": INTEGER, "net": INTEGER}
        | {"currency": TEXT, "type": TEXT, "source": TEXT},
    ),
    "events": _endpoint("events", {"id": TEXT, "created": INTEGER, "type": TEXT, "data": JSON}),
}
KEYS = dict.fromkeys(ENDPOINTS, ("id",))


def api_of(endpoint: Endpoint) -> Api:
    """The API of the account.

    Raises:
        InvalidConfig: a field is wrong.
    """
    given = parse(StripeConfig, endpoint.config)
    secrets = parse(StripeSecrets, endpoint.secrets)
    config = RestConfig(
        base_url=given.base_url,
        headers={"Stripe-Account": given.account} if given.account else {},
        auth="bearer",
    )
    return Api(config, RestSecrets(token=secrets.secret_key), endpoint, ENDPOINTS, KEYS)


STRIPE = Connector(
    name="stripe",
    label="Stripe",
    description="Customers, charges, invoices and more of an account.",
    directions=frozenset({Direction.SOURCE}),
    config=StripeConfig,
    secrets=StripeSecrets,
    test=tester(api_of),
    browse=whole_list(lister(api_of), describer(api_of)),
    endpoint_fields=("base_url",),
    hosts_of=hosts_of,
    resource_options=RestOptions,
    proof=Proof.CONTRACT,
)
