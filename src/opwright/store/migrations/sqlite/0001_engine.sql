-- The engine: an operation's request, its place in the queue, its claim, its outcome, its log.
-- Each state is a table. Rows are inserted and deleted, not updated, so that no index is rewritten for a change of state.
-- Times are microseconds since 1970 UTC; the view `overview` turns them into text.

create table opwright.operations (
  id integer primary key,
  created integer not null,
  retry_of integer,
  priority integer not null,
  trigger text not null,
  queue text not null,
  inputs text not null,
  options text,           -- null: every budget at its default
  submitter text,
  key text
) strict;

-- Narrow and hot: what a claim needs, in the order in which it claims. rank is the priority negated, so that the highest is first.
create table opwright.ready (
  queue text not null,
  rank integer not null,
  operation integer not null,
  errors integer not null,
  deaths integer not null,
  trigger text not null,
  primary key (queue, rank, operation)
) strict, without rowid;

create table opwright.delayed (
  operation integer primary key,
  due integer not null,
  reason integer not null,   -- 1 start, 2 retry, 3 wait
  rank integer not null,
  errors integer not null,
  deaths integer not null,
  queue text not null,
  trigger text not null
) strict;
create index opwright.delayed_due on opwright.delayed (due);

-- One row per claimed operation: the fence. Every later write deletes it by (operation, token) in the statement that has its effect.
create table opwright.claimed (
  operation integer primary key,
  token integer not null,
  host integer not null,
  errors integer not null,
  deaths integer not null,
  ahead integer not null,   -- claimed for later: people see it as PENDING
  worker integer,           -- pid; these three are written only for what outlives a renewal
  begun integer,
  updated integer
) strict;

create table opwright.outcomes (
  operation integer primary key,
  ended integer not null,
  begun integer,
  host integer,
  status integer not null,   -- 1 succeeded, 2 failed, 3 cancelled
  attempt integer not null,
  result text,
  error text
) strict;
create index opwright.outcomes_unhappy on opwright.outcomes (status, ended) where status <> 1;

create table opwright.operationstatus (
  id integer primary key,
  operation integer not null,
  at integer not null,
  attempt integer not null,
  kind integer not null,   -- 1 error, 2 death, 3 log, 4 progress, 5 operator
  text text not null
) strict;
create index opwright.operationstatus_operation on opwright.operationstatus (operation);

create table opwright.operation_keys (
  trigger text not null,
  key text not null,
  operation integer not null,
  primary key (trigger, key)
) strict, without rowid;
create index opwright.operation_keys_operation on opwright.operation_keys (operation);

create table opwright.cancel_requests (
  operation integer primary key,
  at integer not null
) strict;

create table opwright.hosts (
  id integer primary key autoincrement,   -- an id is never given twice: claims name their host by it
  name text not null,
  pid integer not null,
  version text not null,
  state integer not null,   -- 1 alive, 2 dead, 3 stopped
  started integer not null,
  renewed integer not null,
  lease integer not null,
  queues text,               -- null: all
  triggers text not null
) strict;

create view opwright.overview as
select
  o.id, o.trigger,
  case
    when e.status = 1 then 'SUCCEEDED' when e.status = 2 then 'FAILED' when e.status = 3 then 'CANCELLED'
    when c.operation is not null and not c.ahead then 'PROCESSING'
    when d.reason = 3 then 'WAIT'
    else 'PENDING'
  end as status,
  o.queue, o.priority, o.key, o.submitter, o.retry_of,
  coalesce(e.attempt, c.errors + c.deaths + 1, d.errors + d.deaths + 1, r.errors + r.deaths + 1) as attempt,
  strftime('%Y-%m-%dT%H:%M:%fZ', o.created / 1e6, 'unixepoch') as submitted,
  strftime('%Y-%m-%dT%H:%M:%fZ', d.due / 1e6, 'unixepoch') as due,
  strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(e.begun, c.begun) / 1e6, 'unixepoch') as started,
  strftime('%Y-%m-%dT%H:%M:%fZ', e.ended / 1e6, 'unixepoch') as ended,
  coalesce(e.host, c.host) as host, c.worker,
  o.inputs, e.result, e.error
from opwright.operations o
left join opwright.outcomes e on e.operation = o.id
left join opwright.claimed c on c.operation = o.id
left join opwright.delayed d on d.operation = o.id
left join opwright.ready r on r.queue = o.queue and r.rank = -o.priority and r.operation = o.id;
