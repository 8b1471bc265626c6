-- The log of committed commands, which every process that caches reads.

-- xid: of the transaction that wrote the entry. Positions commit in any order; what a reader has not seen yet it tells by snapshots.
create table opwright.operation_log (
  position bigint generated always as identity primary key,
  xid xid8 not null default pg_current_xact_id(),
  id bigint not null unique,   -- of the operation
  logged_at bigint not null,
  origin bigint,               -- null: a tombstone, under whose id nothing is committed any more
  command text,
  inputs json,
  items json,
  nested json
);
create index operation_log_xid on opwright.operation_log (xid);

create view opwright."_Operations" as
select position, id, to_timestamp(logged_at / 1e6) as logged, origin, command, inputs, items, nested
from opwright.operation_log where origin is not null;
comment on view opwright."_Operations" is 'The commands that were committed lately. The table beneath is private and may change.';
