-- One row of edges, one of the opposite edges, one of nothing.
create type mood as enum ('ok');
create table fidelity (
  id int primary key, small smallint, big bigint, empty text, nothing text, num numeric,
  money_like numeric(6, 2), wide numeric(38, 10), f4 real, f8 double precision, yes boolean,
  j json, jb jsonb, ts timestamp, tz timestamptz, d date, t time, i interval, u uuid, b bytea,
  arr text[], net inet, c char(5), v varchar(10), m mood);
insert into fidelity values
  (1, -32768, 9223372036854775807, '', null, 1e-30, 9999.99, 1234567890123456789012345678.0123456789,
   0.1, 0.1, true, '"s"', '{"a": [1, null]}', 'infinity', '2024-03-10 02:30:00+05:30', '0044-03-15 BC',
   '24:00:00', '1 year 2 mons -3 days 04:05:06.789', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '',
   array['a', null, '', '"', ','], '10.0.0.1/8', 'x', E'tab\t', 'ok'),
  (2, 32767, -9223372036854775808, E'line\nbreak "q" \\N', 'null', 'NaN', -0.01, 0, 'NaN', '-infinity',
   false, '1', 'null', '2024-01-01 00:00:00.123456', 'epoch', '9999-12-31', '00:00:00.000001', '-1 day',
   null, '\x00ff', '{}', null, null, '', null),
  (3, null, null, null, null, null, null, null, null, 1e308, null, null, null, null, null, null, null,
   null, null, null, null, null, null, null, null);
