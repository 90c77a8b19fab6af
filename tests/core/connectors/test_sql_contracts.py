"""What is asked of the drivers of systems that no test can start: arguments, SQL, types.

The rules of Redshift are also run on PostgreSQL, whose protocol and much of whose SQL it shares.
"""

import json
from dataclasses import replace
from importlib.util import find_spec

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr
from sqlalchemy.dialects import mssql as mssql_dialect

from etlfabric_core.connectors import (
    bigquery,
    get_connector,
    google,
    mssql,
    redshift,
    snowflake,
    spark,
)
from etlfabric_core.connectors.record import parse
from etlfabric_core.errors import InvalidConfig
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import Selection
from etlfabric_core.extract_load.sources import mssql as mssql_source
from etlfabric_core.extract_load.sources import redshift as redshift_source
from etlfabric_core.extract_load.sources.sql import SqlSource
from etlfabric_core.extract_load.sources.statements import SqlTable, sql_column, statement
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig, RowFilter
from tests.loading import new_warehouse

ADDRESS = "198.51.100.7"
PLACE = {"host": "db.example.com", "database": "d/x?y", "user": "u@v:w"}
PASSWORD = "p'w;\"\\ @/:%"
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
DER = KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
SERVICE_ACCOUNT = {
    "type": "service_account",
    "project_id": "my-project",
    "client_email": "etl@my-project.iam.gserviceaccount.com",
    "private_key": PEM,
    "private_key_id": "k1",
    "token_uri": "http://169.254.169.254/steal",
    "universe_domain": "evil.example",
    "auth_uri": "http://127.0.0.1/",
}
SECRETS = {
    "mssql": {"password": PASSWORD},
    "redshift": {"password": PASSWORD},
    "snowflake": {"private_key": PEM.replace("\n", "")},  # as a form gives it
    "bigquery": {"service_account_key": json.dumps(SERVICE_ACCOUNT)},
    "spark": {"password": PASSWORD},
}
CONFIGS = {
    "mssql": PLACE,
    "redshift": PLACE,
    "snowflake": {"account": "org-acc", "user": "u@v", "database": "d/x", "warehouse": "w"},
    "bigquery": {"project": "my-project", "dataset": "sales"},
    "spark": {"host": "db.example.com"},
}


def endpoint(name: str, **changes) -> Endpoint:
    return Endpoint(
        connector=name,
        config={**CONFIGS[name], **changes},
        secrets=SECRETS[name],
        addresses=(ADDRESS,),
    )


@pytest.mark.feature("B2")
def test_sql_server_gets_the_address_and_no_url():
    assert mssql.engine(endpoint("mssql"), ADDRESS) == {
        "url": "mssql+pymssql://",
        "connect_args": {
            "server": ADDRESS,
            "port": "1433",
            "user": "u@v:w",
            "password": PASSWORD,
            "database": "d/x?y",
            "encryption": "require",
            "tds_version": "7.4",
            "charset": "UTF-8",
            "login_timeout": 10,
            "appname": "etlfabric",
        },
    }


@pytest.mark.feature("B2")
def test_redshift_gets_the_address_and_no_url():
    assert redshift.engine(endpoint("redshift"), ADDRESS) == {
        "url": "redshift+psycopg2://",
        "connect_args": {
            "host": "db.example.com",
            "hostaddr": ADDRESS,
            "port": 5439,
            "dbname": "d/x?y",
            "user": "u@v:w",
            "password": PASSWORD,
            "sslmode": "verify-full",
            "connect_timeout": 10,
            "application_name": "etlfabric",
            "passfile": "/dev/null",
            "gssencmode": "disable",
            "sslcertmode": "disable",
        },
    }


@pytest.mark.feature("B2")
def test_snowflake_gets_its_own_host_and_no_url():
    made = snowflake.engine(endpoint("snowflake"), "")
    assert made == {
        "url": "snowflake://",
        "connect_args": {
            "account": "org-acc",
            "host": "org-acc.snowflakecomputing.com",
            "user": "u@v",
            "database": "d/x",
            "schema": "public",
            "warehouse": "w",
            "private_key": DER,
            "login_timeout": 10,
            "session_parameters": {"TIMEZONE": "UTC", "QUERY_TAG": "etlfabric"},
        },
    }
    with_password = Endpoint(
        connector="snowflake", config=CONFIGS["snowflake"], secrets={"password": PASSWORD}
    )
    assert snowflake.engine(with_password, "")["connect_args"]["password"] == PASSWORD


@pytest.mark.parametrize(
    "account",
    ["evil.com/", "127.0.0.1:1", "a@evil.com", "a#", "a?b", "a/b", "", "-a", "a..b", "a b", "a\n"],
)
def test_an_account_of_snowflake_cannot_lead_elsewhere(account):
    with pytest.raises(InvalidConfig, match="account"):
        snowflake.engine(endpoint("snowflake", account=account), "")


@pytest.mark.feature("B2")
def test_bigquery_uses_no_address_of_the_key():
    info = google.key_info(SecretStr(json.dumps(SERVICE_ACCOUNT)))
    assert info == {
        "type": "service_account",
        "project_id": "my-project",
        "client_email": "etl@my-project.iam.gserviceaccount.com",
        "private_key": PEM,
        "private_key_id": "k1",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    config = parse(bigquery.BigqueryConfig, CONFIGS["bigquery"])
    assert str(bigquery.url(config)) == "bigquery://my-project/sales?user_supplied_client=true"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "[]",
        "{}",
        "not json",
        json.dumps({**SERVICE_ACCOUNT, "type": "external_account"}),
        json.dumps({"type": "authorized_user", "refresh_token": "x"}),
    ],
)
def test_google_takes_no_key_that_names_files_or_hosts(key):
    with pytest.raises(InvalidConfig, match="service_account_key"):
        google.key_info(SecretStr(key))


@pytest.mark.parametrize("name", ["project", "dataset", "location"])
@pytest.mark.parametrize(
    "value", ["a/b", "a?credentials_path=/etc/passwd", "A B", "", "a@b", "a;b"]
)
def test_names_of_bigquery_are_names(name, value):
    with pytest.raises(InvalidConfig, match=name):
        parse(bigquery.BigqueryConfig, {**CONFIGS["bigquery"], name: value})


@pytest.mark.parametrize("name", ["mssql", "redshift", "spark"])
@pytest.mark.parametrize("host", ["/var/run", "a,b", "a host=b", "a'", "", "a\\b", "a;b"])
def test_a_host_is_a_host_and_nothing_else(name, host):
    with pytest.raises(InvalidConfig, match="host"):
        parse(get_connector(name).config, {**PLACE, "host": host})


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_missing_driver_is_told_with_the_command_that_installs_it(name):
    modules = (mssql, redshift, snowflake, bigquery, spark)
    system = {module.__name__.rpartition(".")[2]: module.SYSTEM for module in modules}
    missing = replace(system[name], driver="etlfabric_driver_that_is_not_there")
    result = missing.test(endpoint(name), {})
    assert not result.ok
    assert result.hint == f"the operator can install it: pip install 'etlfabric[{name}]'"


@pytest.mark.parametrize("name", ["mssql", "redshift", "spark"])
def test_a_host_that_nobody_looked_up_is_refused(name):
    system = {"mssql": mssql, "redshift": redshift, "spark": spark}[name].SYSTEM
    unresolved = Endpoint(connector=name, config=CONFIGS[name], secrets=SECRETS[name])
    result = replace(system, driver="json").test(unresolved, {})
    assert result.message == "host: 'db.example.com' was not looked up"


@pytest.mark.skipif(find_spec("pymssql") is None, reason="needs etlfabric[mssql]")
def test_sql_server_says_that_nothing_listens():
    closed = Endpoint(
        connector="mssql", config={**PLACE, "port": 1}, secrets={}, addresses=("127.0.0.1",)
    )
    assert get_connector("mssql").test(closed, {}).message.startswith("port: nothing listens")


@pytest.mark.skipif(find_spec("sqlalchemy_redshift") is None, reason="needs etlfabric[redshift]")
def test_redshift_says_that_nothing_listens():
    closed = Endpoint(
        connector="redshift", config={**PLACE, "port": 1}, secrets={}, addresses=("127.0.0.1",)
    )
    assert get_connector("redshift").test(closed, {}).message.startswith("port: nothing listens")


TYPES = {
    "int": ("int64", "integer", "{x}"),
    "tinyint": ("int64", "smallint", "{x}"),
    "bit": ("bool", "boolean", "{x}"),
    "decimal(38, 10)": ("string", "numeric(38,10)", "convert(varchar(60), {x})"),
    "money": ("string", "numeric(19,4)", "convert(varchar(40), {x}, 2)"),
    "real": ("double", "real", "{x}"),
    "datetime2(7)": ("string", "timestamp without time zone", "convert(varchar(34), {x}, 121)"),
    "uniqueidentifier": ("string", "uuid", "convert(varchar(36), {x})"),
    "varbinary(max)": ("string", "bytea", "{x}"),
    "nvarchar(50) collate latin1_general_ci_as": ("string", "text", "{x}"),
    "sql_variant": ("string", "text", "convert(nvarchar(max), {x})"),
}


@pytest.mark.parametrize("type_", TYPES)
def test_the_sql_that_sql_server_gets(type_):
    column = sql_column("x", type_, mssql_source.RULES)
    arrow, destination, expression = TYPES[type_]
    assert (column.column.arrow, column.column.destination_type) == (arrow, destination)
    query = statement(SqlTable("t]'", (column,), "dbo"), Selection(limit=5))
    text = str(query.compile(dialect=mssql_dialect.dialect(), compile_kwargs=LITERAL))
    value = expression.format(x="[dbo].[t]]'].[x]")
    assert text.split() == f"SELECT TOP 5 {value} AS c0 FROM [dbo].[t]]']".split()


LITERAL = {"literal_binds": True}


def test_filters_of_sql_server_are_parameters():
    column = sql_column("x", "nvarchar(50)", mssql_source.RULES)
    hostile = RowFilter(column="x", op="eq", value="' or 1=1 --")
    query = statement(SqlTable("t", (column,), "dbo"), Selection(filters=(hostile,)))
    compiled = query.compile(dialect=mssql_dialect.dialect())
    assert "1=1" not in str(compiled)
    assert "' or 1=1 --" in compiled.params.values()


@pytest.fixture
def standing_in(postgres):
    """Redshift's reader, with PostgreSQL in its place."""
    with new_warehouse(postgres) as made:
        made.execute(f"grant select on all tables in schema pg_catalog to {made.role}")

        def engine(given, address):
            arguments = redshift.engine(given, address)["connect_args"]
            local = {**arguments, "sslmode": "prefer"}
            return {"url": "postgresql+psycopg2://", "connect_args": local}

        system = replace(redshift.SYSTEM, engine=engine, driver="psycopg2")
        session = redshift_source.SESSION
        yield made, SqlSource(system, redshift_source.RULES, session)


def stand_in_endpoint(made) -> Endpoint:
    config = {**made.endpoint(schema=made.dataset).config, "sslmode": "require"}
    return Endpoint(
        connector="redshift",
        config=config,
        secrets=made.endpoint().secrets,
        addresses=("127.0.0.1",),
    )


@pytest.mark.feature("B2", "C9")
def test_rows_by_sqlalchemy_in_batches_with_filters_and_keys(standing_in):
    made, source = standing_in
    made.execute(
        'create table "T x" (id int primary key, n numeric(30,10), at timestamp(6), '
        'zoned timestamptz, d double precision, f real, flag boolean, day date, "Note" text)'
    )
    made.execute(
        "insert into \"T x\" select i, i + 0.1234567891, '2024-01-01'::timestamp + i * interval "
        "'1 day', '2024-01-01T00:00:00Z', 0.1, 0.1, true, '2024-01-01', 'é🎉' || i "
        "from generate_series(1, 10) i"
    )
    made.execute('insert into "T x" (id) values (11)')
    made.execute(f"grant select on all tables in schema demo_raw to {made.role}")
    config = PipelineConfig(resources=(ResourceConfig(name="T x"),), batch_size=4)
    with source.open(stand_in_endpoint(made), {}, config) as reader:
        assert reader.names() == ["T x"]
        table = reader.table(config.resources[0])
        assert table.primary_key == ("id",)
        batches = list(table.read(Selection()))
        assert [batch.num_rows for batch in batches] == [4, 4, 3]
        first = batches[0].to_pylist()[0]
        assert first == {
            "id": 1,
            "n": "1.1234567891",
            "at": "2024-01-02 00:00:00",
            "zoned": "2024-01-01 00:00:00+00",
            "d": 0.1,
            "f": pytest.approx(0.1),
            "flag": True,
            "day": "2024-01-01",
            "Note": "é🎉1",
        }
        assert set(batches[2].to_pylist()[2].values()) == {11, None}
        filters = (
            RowFilter(column="n", op="gt", value="9"),
            RowFilter(column="id", op="lt", value=10),
        )
        (found,) = table.read(Selection(filters=filters))
        assert found["id"].to_pylist() == [9]
        since = Selection(cursor="at", at_least="2024-01-11 00:00:00")
        assert sorted(next(table.read(since))["id"].to_pylist()) == [10, 11]
