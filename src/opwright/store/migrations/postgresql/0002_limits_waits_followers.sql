-- Limits, waits that are answered, operations that follow others, queues that can be paused, and what workers look like.

alter table opwright.operations
  add column parent bigint,       -- the operation that was running when this one was submitted
  add column lane text,           -- the limit it runs under: one text for all that share its slots
  add column capacity integer,    -- how many slots that lane has
  add column period bigint;       -- null: a slot is free again at the end; else so many microseconds after the begin
create index operations_parent on opwright.operations (parent) where parent is not null;
create index operations_retry_of on opwright.operations (retry_of) where retry_of is not null;

alter table opwright.delayed add column lane text;
alter table opwright.operationstatus add column fraction double precision;   -- of progress, from 0 to 1
alter table opwright.hosts add column workers json;

-- What may not be ready yet because its lane has no free slot. It waits here, so that it stands in nobody's way.
create table opwright.limited (
  operation bigint primary key,
  lane text collate "C" not null,
  rank smallint not null,
  errors smallint not null,
  deaths smallint not null,
  queue text collate "C" not null,
  trigger text collate "C" not null,
  fresh boolean not null   -- nobody has looked yet whether its lane has a slot
);
create index limited_lane on opwright.limited (lane, rank, operation);
create index limited_fresh on opwright.limited (operation) where fresh;

-- The slots that are taken. Their primary key is the limit: no count, so no race between counts.
create table opwright.slots (
  lane text collate "C" not null,
  number integer not null,
  operation bigint not null,
  until bigint,            -- null: taken; else free from then on (0: at once)
  primary key (lane, number)
);
create index slots_until on opwright.slots (until) where until is not null;
create unique index slots_operation on opwright.slots (operation) where until is null;

-- What follows others: not ready before they have ended.
create table opwright.following (
  operation bigint primary key,
  remaining integer not null,   -- how many of them have not ended
  broken boolean not null,      -- one of them did not succeed
  despite boolean not null,     -- and that does not matter
  due bigint,
  rank smallint not null,
  queue text collate "C" not null,
  trigger text collate "C" not null,
  lane text
);
create index following_over on opwright.following (operation) where remaining = 0 or (broken and not despite);

create table opwright.predecessors (
  predecessor bigint not null,
  operation bigint not null,
  state smallint not null,   -- 0 nobody has looked yet, 1 waited for, 2 over
  primary key (predecessor, operation)
);
create index predecessors_fresh on opwright.predecessors (predecessor) where state = 0;
create index predecessors_operation on opwright.predecessors (operation);
create index predecessors_open on opwright.predecessors (predecessor, operation) where state < 2;

-- One row for each operation that has ever waited or been resumed. Both sides meet at its lock, so that no answer is missed.
create table opwright.waits (
  operation bigint primary key,
  lapsed smallint not null,   -- waits in a row that nobody answered
  answers jsonb not null      -- an array of JSON texts, the oldest first
);

create table opwright.queues (
  name text collate "C" primary key,
  paused bigint   -- since when
);

drop view opwright.overview;
create view opwright.overview as
select
  o.id, o.trigger,
  case
    when e.status = 1 then 'SUCCEEDED' when e.status = 2 then 'FAILED' when e.status = 3 then 'CANCELLED'
    when c.operation is not null and not c.ahead then 'PROCESSING'
    when d.reason = 3 then 'WAIT'
    else 'PENDING'
  end as status,
  o.queue, o.priority, o.key, o.submitter, o.retry_of, o.parent,
  coalesce(e.attempt, c.errors + c.deaths + 1, d.errors + d.deaths + 1, r.errors + r.deaths + 1, l.errors + l.deaths + 1, 1)
    as attempt,
  to_timestamp(o.created / 1e6) as submitted,
  to_timestamp(coalesce(d.due, f.due) / 1e6) as due,
  to_timestamp(coalesce(e.begun, c.begun) / 1e6) as started,
  to_timestamp(e.ended / 1e6) as ended,
  coalesce(e.host, c.host) as host, c.worker,
  o.inputs, e.result, e.error
from opwright.operations o
left join opwright.outcomes e on e.operation = o.id
left join opwright.claimed c on c.operation = o.id
left join opwright.delayed d on d.operation = o.id
left join opwright.limited l on l.operation = o.id
left join opwright.following f on f.operation = o.id
left join opwright.ready r on r.queue = o.queue and r.rank = -o.priority and r.operation = o.id;
comment on view opwright.overview is 'Every operation with the status that people read. The tables beneath are private and may change.';
