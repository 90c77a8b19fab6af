"""Attacks in dbt's own words, as data. `<secret>` and the like are filled in by `armed`.

An attack is an expression that dbt evaluates; what it yields is its loot. `SCENE` names what can
be filled in: a neighbour's file, a place where nothing may be written, the caller's process id,
and the neighbour's schema and role in the same database.
"""

SCENE = ("secret", "drop", "pid", "rival_schema", "rival_role")

_TABLE = "run_query('select 1 as a')"

# The eight that have to be contained in every command.
BASIC = {
    "read a file": "{{ " + _TABLE + ".from_csv('<secret>').column_names }}",
    "write a file": "{{ " + _TABLE + ".to_csv('<drop>') }}",
    "the environment": "{{ env_var('ETLFABRIC_ENCRYPTION_KEYS', 'nothing') }}",
    "the password": "{{ adapter.config.credentials.password }}",
    "the caller's environment": "{{ " + _TABLE + ".from_csv('/proc/<pid>/environ').column_names }}",
    "modules": "{{ modules.datetime.sys.modules['os'].environ }}",
    "subclasses": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "another schema": "{{ run_query('select secret from <rival_schema>.secrets').columns[0]"
    ".values() }}",
}

FILES = {
    "read rows of a file": "{{ " + _TABLE + ".from_csv('<secret>').print_json() }}",
    "read a file and raise": "{{ exceptions.raise_compiler_error("
    + _TABLE
    + ".from_csv('<secret>').column_names | string) }}",
    "read a file and log": "{{ log("
    + _TABLE
    + ".from_csv('<secret>').column_names | string, info=true) }}",
    "read a file and warn": "{{ exceptions.warn("
    + _TABLE
    + ".from_csv('<secret>').column_names | string) }}",
    "read a file without a header": "{{ "
    + _TABLE
    + ".from_csv('<secret>', header=false).columns[0].values() }}",
    "read a file as json": "{{ " + _TABLE + ".from_json('<secret>').column_names }}",
    "read a file as fixed width": "{{ "
    + _TABLE
    + ".from_fixed('<secret>', '<secret>').column_names }}",
    "climb to a file": "{{ "
    + _TABLE
    + ".from_csv('../../../../../../../..<secret>').column_names }}",
    "read this process's environment": "{{ "
    + _TABLE
    + ".from_csv('/proc/self/environ').column_names }}",
    "read the caller's memory": "{{ " + _TABLE + ".from_csv('/proc/<pid>/mem').column_names }}",
    "read the caller's files": "{{ " + _TABLE + ".from_csv('/proc/<pid>/fd/3').column_names }}",
    "read the caller's arguments": "{{ "
    + _TABLE
    + ".from_csv('/proc/<pid>/cmdline').column_names }}",
    "read the passwords of the system": "{{ "
    + _TABLE
    + ".from_csv('/etc/shadow').columns[0].values() }}",
    "write json": "{{ " + _TABLE + ".to_json('<drop>') }}",
    "write in a new folder": "{{ " + _TABLE + ".to_csv('<drop>.d/e/f.py') }}",
    "write over the interpreter": "{{ "
    + _TABLE
    + ".to_csv(modules.pytz.__file__ or '/usr/lib/python3/os.py') }}",
    "include": "{% include '<secret>' %}",
    "import": "{% import '<secret>' as stolen %}{{ stolen }}",
    "extends": "{% extends '<secret>' %}",
}

ENVIRONMENT = {
    "a variable of the test": "{{ env_var('TRANSFORM_TEST_CANARY', 'nothing') }}",
    "a prefixed variable": "{{ env_var('DBT_ENV_CUSTOM_ENV_CANARY', 'nothing') }}"
    "{{ dbt_metadata_envs }}",
    "all arguments": "{{ invocation_args_dict }}{{ flags }}",
    "the target": "{{ target }}{{ target.password }}{{ target.pass }}",
    "the credentials": "{{ adapter.config.credentials.to_dict() }}",
    "the password spelled": "{{ adapter.config.credentials.password | reverse | list }}",
    "the connection string": "{{ adapter.connections.get_thread_connection().handle.dsn }}",
    "the connection's parameters": "{{ adapter.connections.get_thread_connection().handle"
    ".get_dsn_parameters() }}",
    "libpq's own files": "{{ adapter.connections.get_thread_connection().handle.info"
    ".dsn_parameters }}",
}

PYTHON = {
    "modules by another way": "{{ modules.re.sys.modules }}{{ modules.itertools.__loader__ }}",
    "loader of a module": "{{ modules.pytz.open_resource('../../../../<secret>').read() }}",
    "globals of lipsum": "{{ lipsum.__globals__['os'].environ }}",
    "globals of cycler": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "globals of the adapter": "{{ adapter.__init__.__globals__ }}",
    "globals of ref": "{{ builtins.ref.__class__.__call__.__globals__ }}",
    "globals of a macro": "{{ run_query.macro.__class__.__init__.__globals__ }}",
    "globals by filter": "{{ ''|attr('__class__')|attr('__mro__')|list }}",
    "globals by format": "{{ '{0.__class__.__init__.__globals__}'.format(adapter) }}",
    "globals by map": "{{ [adapter]|map(attribute='__class__.__init__.__globals__')|list }}",
    "the context": "{{ context.__class__.__base__.__subclasses__() }}",
    "the builtins": "{{ builtins.__class__.__bases__[0].__subclasses__() }}",
    "the relation class": "{{ api.Relation.create.__func__.__globals__ }}",
    "yaml that makes objects": "{{ fromyaml(\"!!python/object/apply:os.getenv ['HOME']\") }}",
    "yaml that runs": "{{ fromyaml(\"!!python/object/apply:os.system ['touch <drop>']\") }}",
}

WAREHOUSE = {
    "a statement block": "{% call statement('theft', fetch_result=True) %}"
    "select secret from <rival_schema>.secrets{% endcall %}{{ load_result('theft').data }}",
    "set role": "{{ run_query('set role <rival_role>') }}"
    "{{ run_query('select secret from <rival_schema>.secrets').columns[0].values() }}",
    "set session authorization": "{{ run_query('set session authorization <rival_role>') }}"
    "{{ run_query('select secret from <rival_schema>.secrets').columns[0].values() }}",
    "search path": "{{ run_query('set search_path to <rival_schema>') }}"
    "{{ run_query('select secret from secrets').columns[0].values() }}",
    "a file of the server": "{{ run_query(\"select pg_read_file('<secret>')\").columns[0]"
    ".values() }}",
    "a program of the server": "{{ run_query(\"copy (select 1) to program 'cp <secret> <drop>'\")"
    " }}",
    "a copy to a file": "{{ run_query(\"copy (select 1) to '<drop>'\") }}",
    "a large object": "{{ run_query(\"select lo_import('<secret>')\") }}",
    "the roles' passwords": "{{ run_query('select rolpassword from pg_authid').columns[0]"
    ".values() }}",
    "an extension": "{{ run_query('create extension dblink') }}",
    "a relation object": "{{ run_query('select secret from ' ~ api.Relation.create("
    "schema='<rival_schema>', identifier='secrets')).columns[0].values() }}",
    "columns of another schema": "{{ adapter.get_columns_in_relation(api.Relation.create("
    "schema='<rival_schema>', identifier='secrets')) }}"
    "{{ run_query('select * from <rival_schema>.secrets').print_table() }}",
    "another database": "{% set c = adapter.connections.get_thread_connection() %}"
    "{% set d = adapter.connections.open(c.replace(state='init', handle=none, credentials="
    "c.credentials.replace(database='postgres', user='postgres'))) %}"
    "{{ d.handle.info.dbname }}:{{ d.handle.info.user }}",
    "another server": "{% set c = adapter.connections.get_thread_connection() %}"
    "{% set d = adapter.connections.open(c.replace(state='init', handle=none, credentials="
    "c.credentials.replace(host='169.254.169.254', port=80))) %}{{ d.state }}",
    "a local socket": "{% set c = adapter.connections.get_thread_connection() %}"
    "{% set d = adapter.connections.open(c.replace(state='init', handle=none, credentials="
    "c.credentials.replace(host='/var/run/postgresql', port=5432))) %}{{ d.state }}",
}

# These end the reading of the whole project, so each needs a project of its own.
GRAMMAR = {
    "a python block": "{% python %}open('<drop>','w'){% endpython %}",
    "an unknown name": "{{ __import__('os').environ }}",
    "a hidden file": "{{ load_file_contents('<secret>') }}",
    "an import": "{% import os %}{{ os.environ }}",
}

ATTACKS = BASIC | FILES | ENVIRONMENT | PYTHON | WAREHOUSE

# name → (expression, what the refusal says). They need no warehouse.
BOMBS = {
    "an endless loop": (
        "{% for i in modules.itertools.count() %}{% endfor %}",
        "took longer than",
    ),
    "an endless recursion": (
        "{% for n in [60] recursive %}{% if n %}{{ loop([n - 1, n - 1]) }}{% endif %}{% endfor %}",
        "took longer than",
    ),
    "a power without end": ("{{ 9 ** (9 ** 9) }}", "took longer than"),
    "a regular expression without end": (
        "{{ modules.re.match('(a+)+$', 'a' * 60 ~ 'b') }}",
        "took longer than",
    ),
    "a long text": ("{{ 'a' * 10 ** 10 }}", "needed more than"),
    "a doubling list": (
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}"
        "{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "needed more than",
    ),
    "a doubling text": (
        "{% set ns = namespace(x='a') %}{% for i in range(60) %}"
        "{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x | length }}",
        "needed more than",
    ),
    "a flood of log lines": (
        "{% for i in range(9999) %}{% for j in range(9999) %}"
        "{% set _ = log('x' * 99999, info=true) %}{% endfor %}{% endfor %}",
        "answered with more than",
    ),
    "a recursion without end": (
        "{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}",
        "recursion",
    ),
}

# Bombs that need a connection.
WAREHOUSE_BOMBS = {
    "a query without end": ("{{ run_query('select pg_sleep(600)') }}", "took longer than"),
    "a disk full of files": (
        "{% set t = run_query(\"select repeat('x', 4000000) as a\") %}"
        "{% for i in range(9999) %}{% set _ = t.to_csv('f' ~ i ~ '.csv') %}{% endfor %}",
        "wrote more than",
    ),
    "a result of a gigabyte": (
        "{{ run_query(\"select repeat('x', 100000000) from generate_series(1, 12)\") }}",
        "memory",
    ),
}

# What SQL may not set about itself, as it would be written in `config(...)`.
REFUSED_SETTINGS = {
    "pre_hook": "pre_hook='select 1'",
    "post_hook": "post_hook=['select 1', 'select 2']",
    "pre-hook": "**{'pre-hook': 'select 1'}",
    "schema": "schema='rival_raw'",
    "database": "database='airflow'",
    "alias": "alias='secrets'",
    "materialized": "materialized='incremental'",
    "enabled": "enabled=false",
    "grants": "grants={'select': ['org_rival']}",
    "persist_docs": "persist_docs={'relation': true}",
    "sql_header": "sql_header='set role org_rival;'",
    "meta": "meta={'node': 'another'}",
    "packages": "packages=['x']",
    "quoting": "quoting={'identifier': true}",
    "access": "access='private'",
    "docs": "docs={'show': false}",
    "event_time": "event_time='now()'",
    "column_types": "column_types={'id': 'text'}",
    "unlogged": "unlogged=true",
    "anything": "invented='x'",
}

# Whole files of a project that nobody can write today: the sandbox has to hold nevertheless.
# path → text; `<neighbour>` is the neighbour's folder, with a project of its own in it.
PROJECT_FILES = {
    "paths of a neighbour": {
        "dbt_project.yml": "name: demo\nversion: '1'\nprofile: tenant\n"
        "model-paths: ['<neighbour>/models']\nmacro-paths: ['<neighbour>/macros']\n"
        "seed-paths: ['<neighbour>/seeds']\ntest-paths: ['<neighbour>/tests']\n"
        "docs-paths: ['<neighbour>/models']\nanalysis-paths: ['<neighbour>/models']\n"
    },
    "paths that climb": {
        "dbt_project.yml": "name: demo\nversion: '1'\nprofile: tenant\n"
        "model-paths: ['../../../../../../..<neighbour>/models']\n"
    },
    "a target outside": {
        "dbt_project.yml": "name: demo\nversion: '1'\nprofile: tenant\n"
        "target-path: <neighbour>/target\nlog-path: <neighbour>/logs\n"
        "packages-install-path: <neighbour>/packages\n"
    },
    "a local package": {"packages.yml": "packages: [{local: '<neighbour>'}]\n"},
    "a local package by variable": {
        "packages.yml": "packages: [{local: \"{{ env_var('X', '<neighbour>') }}\"}]\n"
    },
    "a git package": {"packages.yml": "packages: [{git: 'file://<neighbour>', revision: main}]\n"},
    "a git package that is a program": {
        "packages.yml": "packages: [{git: 'ext::cp <secret> <drop>', revision: main}]\n"
    },
    "a tarball": {
        "packages.yml": "packages: [{tarball: 'http://127.0.0.1:<port>/x.tar.gz', name: x}]\n"
    },
    "a package of the hub": {
        "packages.yml": "packages: [{package: dbt-labs/dbt_utils, version: 1.3.0}]\n"
    },
    "dependencies": {"dependencies.yml": "packages: [{local: '<neighbour>'}]\nprojects: []\n"},
    "a project's hooks": {
        "dbt_project.yml": "name: demo\nversion: '1'\nprofile: tenant\n"
        "on-run-start: [\"{{ run_query('select 1 as a').to_csv('<drop>') }}\"]\n"
        'on-run-end: ["select secret from <rival_schema>.secrets"]\n'
        "query-comment: \"{{ env_var('ETLFABRIC_ENCRYPTION_KEYS', 'x') }}\"\n"
    },
    "a doc block": {
        "models/doc.md": "{% docs d %}{{ env_var('ETLFABRIC_ENCRYPTION_KEYS', 'x') }}"
        "{% include '<secret>' %}{% enddocs %}\n",
    },
    "a description": {
        "models/more.yml": "version: 2\nmodels:\n  - name: plain\n    description: "
        "\"{{ env_var('ETLFABRIC_ENCRYPTION_KEYS', 'x') }}\"\n"
    },
    "a python model": {
        "models/code.py": "def model(dbt, session):\n    return open('<secret>').read()\n"
    },
    "a macro that dbt calls": {
        "macros/generate_alias_name.sql": "{% macro generate_alias_name(a=none, node=none) %}"
        "{{ env_var('ETLFABRIC_ENCRYPTION_KEYS', 'x') }}"
        "{{ run_query('select 1 as a').from_csv('<secret>').column_names }}{% endmacro %}"
    },
    "a seed": {"seeds/loot.csv": "a\n\"=cmd|' /C calc'!A0\"\n"},
    "a profile of its own": {
        "profiles.yml": "tenant: {target: t, outputs: {t: {type: postgres, host: 169.254.169.254,"
        " port: 80, user: postgres, password: x, dbname: postgres, schema: public}}}\n"
    },
    "selectors": {
        "selectors.yml": "selectors: [{name: x, definition: \"{{ env_var('HOME') }}\"}]\n"
    },
}


def armed(words: str, scene: dict[str, str]) -> str:
    """The attack with the places of this scene filled in."""
    for name, value in scene.items():
        words = words.replace(f"<{name}>", value)
    return words
