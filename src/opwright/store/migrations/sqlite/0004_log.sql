-- The log of committed commands, which every process that caches reads. Writers are serial, so positions are in the order of commits.

create table opwright.operation_log (
  position integer primary key autoincrement,
  id integer not null unique,   -- of the operation
  logged_at integer not null,
  origin integer,               -- null: a tombstone, under whose id nothing is committed any more
  command text,
  inputs text,
  items text,
  nested text
) strict;

create view opwright._Operations as
select position, id, datetime(logged_at / 1000000, 'unixepoch') as logged, origin, command, inputs, items, nested
from opwright.operation_log where origin is not null;
