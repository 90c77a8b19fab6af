set time_zone = '+05:00';
set sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
create table fidelity (
  id int primary key,
  tiny tinyint, flag tinyint(1), big bigint, ubig bigint unsigned, uint int unsigned,
  zero_filled mediumint(8) zerofill, exact decimal(65,30), single float, wide double,
  bits bit(10), one_bit bit(1), day date, at datetime(6), zoned timestamp(6) null, span time(6),
  made year, kind enum('', 'a,"b"'), kinds set('x', 'y', 'z'), doc json, note longtext,
  old_note varchar(20) character set latin1, raw blob, fixed binary(3), uid uuid,
  twice bigint as (tiny * 2), `select` varchar(20)
);
insert into fidelity
  (id, tiny, flag, big, ubig, uint, zero_filled, exact, single, wide, bits, one_bit, day, at, zoned,
   span, made, kind, kinds, doc, note, old_note, raw, fixed, uid, `select`)
values
  (1, 127, 2, 9223372036854775807, 18446744073709551615, 4294967295, 42,
   99999999999999999999999999999999999.999999999999999999999999999999, 0.1, 0.1,
   b'1000000001', b'1', '9999-12-31', '9999-12-31 23:59:59.999999', '2038-01-19 08:14:07.5',
   '838:59:59.999999', 2155, 'a,"b"', 'x,z', '{"k": [1.10, null, "é"]}',
   'emoji 🎉, "quoted"\nline\\N', 'café', x'00ff2c22', 'a',
   '123e4567-e89b-12d3-a456-426655440000', 'NULL'),
  (2, -128, 0, -9223372036854775808, 0, 0, 0, -0.000000000000000000000000000001,
   -3.4028235e38, -1.7976931348623157e308, b'0', b'0', '1000-01-01', '1000-01-01 00:00:00',
   '1970-01-01 05:00:01', '-838:59:59', 1901, '', '', '{}', '', '', '', '',
   '00000000-0000-0000-0000-000000000000', ' ');
insert into fidelity (id) values (3)
