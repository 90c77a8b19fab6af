"""Values at the edges of PostgreSQL's types, as literals: what a load must not change."""

TIMES = [
    "infinity",
    "-infinity",
    "4713-01-01 00:00:00 BC",
    "0044-03-15 12:00:00 BC",
    "0001-01-01 00:00:00",
    "1582-10-10 00:00:00",
    "1899-12-31 23:59:59.999999",
    "1970-01-01 00:00:00",
    "9999-12-31 23:59:59.999999",
    "10000-01-01 00:00:00",
    "294276-12-31 23:59:59.999999",
]
TEXTS = [
    "",
    " ",
    "NULL",
    "null",
    "\\N",
    "\\.",
    '"',
    'a "b", c',
    "line\nbreak",
    "line\r\nbreak",
    "tab\t",
    "\x01\x7f",
    "é ß 漢 🦆 ‏",
    "x" * 100_000,
]
FLOATS = ["NaN", "Infinity", "-Infinity", "0", "-0", "0.1", "-1e10"]
JSONS = ['"s"', "1", "1.10", "null", "true", "[]", "{}", '{"a": [1, null]}', '"\\u00e9 \\" "']

# Types that arrive as the same type.
SAME = {
    "smallint": ["-32768", "0", "32767"],
    "integer": ["-2147483648", "0", "2147483647"],
    "bigint": ["-9223372036854775808", "0", "9223372036854775807"],
    "real": [*FLOATS, "1e-45", "3.4028235e38", "16777217"],
    "double precision": [*FLOATS, "5e-324", "1.7976931348623157e308", "0.30000000000000004"],
    "numeric": ["NaN", "Infinity", "-Infinity", "0", "0.00", "1.10", "1e-30", "9" * 60 + ".00010"],
    "numeric(6,2)": ["NaN", "0", "9999.99", "-0.01"],
    "numeric(38,10)": ["1234567890123456789012345678.0123456789", "-0.0000000001"],
    "numeric(3,-2)": ["12300", "-99900"],
    "numeric(2,5)": ["0.00012"],
    "boolean": ["true", "false"],
    "text": TEXTS,
    "character varying": TEXTS,
    "character varying(5)": ["", "éß漢🦆x", "a  "],
    "character(5)": ["", "x", "a  b"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "bytea": ["", "\\x00", "\\x00ff5c78", "\\x" + "0a" * 50_000],
    "json": [*JSONS, ' {"b":1,  "a":1,"a":2} ', "1e400"],
    "jsonb": [*JSONS, "12345678901234567890.1234567890"],
    "date": ["infinity", "-infinity", "4713-01-01 BC", "0001-01-01", "9999-12-31", "5874897-12-31"],
    "time without time zone": ["00:00:00", "23:59:59.999999", "24:00:00"],
    "time(3) without time zone": ["12:34:56.789"],
    "time with time zone": ["00:00:00+15:59", "24:00:00-15:59", "12:00:00.000001+05:30"],
    "timestamp without time zone": TIMES,
    "timestamp(0) without time zone": ["2024-02-29 23:59:59"],
    "timestamp with time zone": [*TIMES, "2024-03-10 02:30:00+05:30", "2024-10-27 02:30:00+01"],
    "interval": ["0", "1 year 2 mons -3 days 04:05:06.789", "-178000000 years", "1 mon -30 days"],
    "interval day to second(3)": ["3 days 04:05:06.789"],
    "inet": ["10.0.0.1/8", "10.0.0.1", "::1/128", "2001:db8::/32"],
    "cidr": ["10.0.0.0/8", "2001:db8::/32"],
    "macaddr": ["08:00:2b:01:02:03"],
    "macaddr8": ["08:00:2b:01:02:03:04:05"],
    "bit(3)": ["101"],
    "bit varying": ["", "1", "0" * 70],
    "point": ["(0.1,-1e300)"],
    "line": ["{1,2,3}"],
    "box": ["(1,1),(0,0)"],
    "path": ["[(0,0),(1,1)]", "((0,0),(1,1))"],
    "polygon": ["((0,0),(1,1),(2,0))"],
    "circle": ["<(1,2),3>"],
    "int8range": ["empty", "(,)", "[1,9223372036854775807)"],
    "numrange": ["[0.10,1.0]", "(,0]"],
    "tstzrange": ["[2024-01-01 00:00+00,infinity)", "empty"],
    "tsvector": ["'a':1A,2 'b''c':3"],
    "integer[]": ["{}", "{NULL,1}", "[0:1]={1,2}", "{{1,2},{3,4}}"],
    "text[]": ["{}", '{NULL,"NULL","",",","\\"","\\\\","line\nbreak"}'],
    "numeric(6,2)[]": ["{1.10,NaN}"],
    "jsonb[]": ['{"{\\"a\\": 1}",NULL}'],
    "timestamp with time zone[]": ["{infinity,2024-01-01 00:00:00+00}"],
}
# Types that are known everywhere, but not in binary. (The embedded server is built without XML.)
TEXT_ONLY = {"money": ["$1.10", "-$92,233,720,368,547,758.08"], "xml": []}
# Types that another database may not have arrive as text, as PostgreSQL writes them.
AS_TEXT = {
    "mood": ["sad", "so so", 'a "b"', ""],
    "mood[]": ["{sad,NULL}"],
    "short_code": ["", "abc"],
    "pair": ['(1,"a ""b""")', "(,)"],
    "int4multirange": ["{}", "{[1,3),[5,7)}"],
    "oid": ["4294967295"],
    "name": ["", "x"],
}
MAKE_TYPES = """
create type mood as enum ('sad', 'so so', 'a "b"', '');
create domain short_code as varchar(3) check (value <> 'no');
create type pair as (n int, t text)
"""
