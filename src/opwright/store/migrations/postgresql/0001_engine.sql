-- The engine: an operation's request, its place in the queue, its claim, its outcome, its log.
-- Each state is a table. Rows are inserted and deleted, not updated, so that no index is rewritten for a change of state.
-- Times are microseconds since 1970 UTC; the view `overview` turns them into timestamps.

create table opwright.operations (
  id bigint primary key,
  created bigint not null,
  retry_of bigint,
  priority smallint not null,
  trigger text not null,
  queue text collate "C" not null,
  inputs json not null,   -- json, not jsonb: kept as sent, and a fifth cheaper to write
  options json,           -- null: every budget at its default
  submitter text,
  key text
);

-- Narrow and hot: what a claim needs, in the order in which it claims. rank is the priority negated, so that the highest is first.
create table opwright.ready (
  queue text collate "C" not null,
  rank smallint not null,
  operation bigint not null,
  errors smallint not null,
  deaths smallint not null,
  trigger text collate "C" not null,
  primary key (queue, rank, operation)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);

create table opwright.delayed (
  operation bigint primary key,
  due bigint not null,
  reason smallint not null,   -- 1 start, 2 retry, 3 wait
  rank smallint not null,
  errors smallint not null,
  deaths smallint not null,
  queue text collate "C" not null,
  trigger text collate "C" not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
create index delayed_due on opwright.delayed (due);

-- One row per claimed operation: the fence. Every later write deletes it by (operation, token) in the statement that has its effect.
create table opwright.claimed (
  operation bigint primary key,
  token bigint not null,
  host integer not null,
  errors smallint not null,
  deaths smallint not null,
  ahead boolean not null,   -- claimed for later: people see it as PENDING
  worker integer,           -- pid; these three are written only for what outlives a renewal
  begun bigint,
  updated bigint
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);

create table opwright.outcomes (
  operation bigint primary key,
  ended bigint not null,
  begun bigint,
  host integer,
  status smallint not null,   -- 1 succeeded, 2 failed, 3 cancelled
  attempt smallint not null,
  result json,
  error text
);
create index outcomes_unhappy on opwright.outcomes (status, ended) where status <> 1;

create table opwright.operationstatus (
  id bigint generated always as identity primary key,
  operation bigint not null,
  at bigint not null,
  attempt smallint not null,
  kind smallint not null,   -- 1 error, 2 death, 3 log, 4 progress, 5 operator
  text text not null
);
create index operationstatus_operation on opwright.operationstatus (operation);

create table opwright.operation_keys (
  trigger text collate "C" not null,
  key text collate "C" not null,
  operation bigint not null,
  primary key (trigger, key)
);
create index operation_keys_operation on opwright.operation_keys (operation);

create table opwright.cancel_requests (
  operation bigint primary key,
  at bigint not null
);

create table opwright.hosts (
  id integer generated always as identity primary key,
  name text not null,
  pid integer not null,
  version text not null,
  state smallint not null,   -- 1 alive, 2 dead, 3 stopped
  started bigint not null,
  renewed bigint not null,
  lease bigint not null,
  queues json,               -- null: all
  triggers json not null
);

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
  to_timestamp(o.created / 1e6) as submitted,
  to_timestamp(d.due / 1e6) as due,
  to_timestamp(coalesce(e.begun, c.begun) / 1e6) as started,
  to_timestamp(e.ended / 1e6) as ended,
  coalesce(e.host, c.host) as host, c.worker,
  o.inputs, e.result, e.error
from opwright.operations o
left join opwright.outcomes e on e.operation = o.id
left join opwright.claimed c on c.operation = o.id
left join opwright.delayed d on d.operation = o.id
left join opwright.ready r on r.queue = o.queue and r.rank = -o.priority and r.operation = o.id;
comment on view opwright.overview is 'Every operation with the status that people read. The tables beneath are private and may change.';
