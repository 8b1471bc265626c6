-- Limits, waits that are answered, operations that follow others, queues that can be paused, and what workers look like.

alter table opwright.operations add column parent integer;     -- the operation that was running when this one was submitted
alter table opwright.operations add column lane text;          -- the limit it runs under: one text for all that share its slots
alter table opwright.operations add column capacity integer;   -- how many slots that lane has
alter table opwright.operations add column period integer;     -- null: a slot is free again at the end; else so many microseconds after the begin
create index opwright.operations_parent on opwright.operations (parent) where parent is not null;
create index opwright.operations_retry_of on opwright.operations (retry_of) where retry_of is not null;

alter table opwright.delayed add column lane text;
alter table opwright.operationstatus add column fraction real;   -- of progress, from 0 to 1
alter table opwright.hosts add column workers text;

-- What may not be ready yet because its lane has no free slot. It waits here, so that it stands in nobody's way.
create table opwright.limited (
  operation integer primary key,
  lane text not null,
  rank integer not null,
  errors integer not null,
  deaths integer not null,
  queue text not null,
  trigger text not null,
  fresh integer not null   -- nobody has looked yet whether its lane has a slot
) strict;
create index opwright.limited_lane on opwright.limited (lane, rank, operation);
create index opwright.limited_fresh on opwright.limited (operation) where fresh;

-- The slots that are taken. Their primary key is the limit: no count, so no race between counts.
create table opwright.slots (
  lane text not null,
  number integer not null,
  operation integer not null,
  until integer,            -- null: taken; else free from then on (0: at once)
  primary key (lane, number)
) strict, without rowid;
create index opwright.slots_until on opwright.slots (until) where until is not null;
create unique index opwright.slots_operation on opwright.slots (operation) where until is null;

-- What follows others: not ready before they have ended.
create table opwright.following (
  operation integer primary key,
  remaining integer not null,   -- how many of them have not ended
  broken integer not null,      -- one of them did not succeed
  despite integer not null,     -- and that does not matter
  due integer,
  rank integer not null,
  queue text not null,
  trigger text not null,
  lane text
) strict;
create index opwright.following_over on opwright.following (operation) where remaining = 0 or (broken and not despite);

create table opwright.predecessors (
  predecessor integer not null,
  operation integer not null,
  state integer not null,   -- 0 nobody has looked yet, 1 waited for, 2 over
  primary key (predecessor, operation)
) strict, without rowid;
create index opwright.predecessors_fresh on opwright.predecessors (predecessor) where state = 0;
create index opwright.predecessors_operation on opwright.predecessors (operation);
create index opwright.predecessors_open on opwright.predecessors (predecessor, operation) where state < 2;

-- One row for each operation that has ever waited or been resumed.
create table opwright.waits (
  operation integer primary key,
  lapsed integer not null,   -- waits in a row that nobody answered
  answers text not null      -- a JSON array of JSON texts, the oldest first
) strict;

create table opwright.queues (
  name text primary key,
  paused integer   -- since when
) strict, without rowid;

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
  strftime('%Y-%m-%dT%H:%M:%fZ', o.created / 1e6, 'unixepoch') as submitted,
  strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(d.due, f.due) / 1e6, 'unixepoch') as due,
  strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(e.begun, c.begun) / 1e6, 'unixepoch') as started,
  strftime('%Y-%m-%dT%H:%M:%fZ', e.ended / 1e6, 'unixepoch') as ended,
  coalesce(e.host, c.host) as host, c.worker,
  o.inputs, e.result, e.error
from opwright.operations o
left join opwright.outcomes e on e.operation = o.id
left join opwright.claimed c on c.operation = o.id
left join opwright.delayed d on d.operation = o.id
left join opwright.limited l on l.operation = o.id
left join opwright.following f on f.operation = o.id
left join opwright.ready r on r.queue = o.queue and r.rank = -o.priority and r.operation = o.id;
