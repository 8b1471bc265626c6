-- name: claim
-- Take the first rows of a queue that this host's triggers can run. The shared advisory lock is the gate: whoever changes the
-- gate takes the exclusive form. ids are picked with = any (array (…)), never joined, or the planner scans all of `ready`.
-- Requests and waits are looked for once, and row by row only where there are any.
with picked as materialized (
  delete from opwright.ready where ctid = any (array(
    select ctid from opwright.ready
    where queue = :queue and trigger = any (cast(:triggers as text[]))
      and (select pg_advisory_xact_lock_shared(:gate) is not null)
      and exists (select from opwright.hosts where id = :host and state = 1)
      and not exists (select from opwright.queues where name = :queue and paused is not null)
    order by rank, operation limit :limit for update skip locked))
  returning operation, rank, errors, deaths),
held as (
  insert into opwright.claimed (operation, token, host, errors, deaths, ahead)
  select operation, :token, :host, errors, deaths, cast(:ahead as boolean) from picked)
select o.id, p.rank, p.errors, p.deaths, o.trigger, o.inputs, o.options, o.key,
  (select exists (select from opwright.cancel_requests))
    and exists (select 1 from opwright.cancel_requests x where x.operation = o.id) as asked,
  o.submitter, o.lane, o.period is not null as paced,
  case when (select exists (select from opwright.waits)) then (
    select cast(json_build_array(w.lapsed, w.answers) as text) from opwright.waits w where w.operation = o.id) end as waits
from picked p cross join lateral (
  select id, trigger, inputs, options, key, submitter, lane, period
  from opwright.operations where id = p.operation offset 0) o

-- name: finish
-- Ends: by token, by operation, either when it began (it succeeded at the first attempt, and that is all) or an array of status,
-- attempt, begin, result, error and whether it has a key. The hashed sub-selects (… is true) keep the planner from turning the
-- fence into a nested loop over both sides.
with given as materialized (
  select i, t, case when more then cast(v ->> 0 as smallint) else 1 end as s, case when more then cast(v ->> 1 as smallint) else 1 end as a,
    cast(case when more then v ->> 2 else cast(v as text) end as bigint) as b, case when more then v ->> 3 end as r,
    case when more then v ->> 4 end as e, case when more then cast(v ->> 5 as boolean) end as k
  from (
    select cast(g.key as bigint) as i, cast(t.key as bigint) as t, g.value as v, json_typeof(g.value) = 'array' as more
    from json_each(cast(:rows as json)) t cross join json_each(t.value) g) read),
gone as (
  delete from opwright.claimed where operation = any (array(select i from given))
    and ((operation, token) in (select i, t from given)) is true
  returning operation, token),
freed as (
  delete from opwright.operation_keys where operation = any (array(select i from given where k))
    and (operation in (select operation from gone)) is true),
unasked as (
  delete from opwright.cancel_requests where operation = any (array(select i from given where s = 3))
    and (operation in (select operation from gone)) is true)
insert into opwright.outcomes (operation, ended, begun, host, status, attempt, result, error)
select i, {now}, b, :host, s, a, cast(r as json), e from given where ((i, t) in (select operation, token from gone)) is true
returning operation

-- name: postpone
-- Errors with budget left, and waits: from the claim into `delayed`, with a line in the log. Who waits for an answer that has
-- come meanwhile (`v` are those it had seen) is due at once: the upsert reads the row as it is now, whatever the snapshot.
with given as materialized (
  select * from json_to_recordset(cast(:rows as json))
  as g (i bigint, t bigint, a smallint, x smallint, d smallint, w bigint, c smallint, q text, p smallint, f text, e text,
    k smallint, l text, v integer)),
gone as (
  delete from opwright.claimed where operation = any (array(select i from given))
    and ((operation, token) in (select i, t from given)) is true
  returning operation, token),
waiting as (
  insert into opwright.waits (operation, lapsed, answers)
  select i, 1, '[]' from given where c = 3 and ((i, t) in (select operation, token from gone)) is true
  on conflict (operation) do update set lapsed = case
    when jsonb_array_length(waits.answers) > (select coalesce(v, 0) from given where i = waits.operation) then 0
    else waits.lapsed + 1 end
  returning operation, jsonb_array_length(answers) as answered),
noted as (
  insert into opwright.operationstatus (operation, at, attempt, kind, text)
  select i, {now}, a, k, e from given where e is not null and ((i, t) in (select operation, token from gone)) is true)
insert into opwright.delayed (operation, due, reason, rank, errors, deaths, queue, trigger, lane)
select i, {now} + case when exists (select 1 from waiting s where s.operation = i and s.answered > coalesce(v, 0)) then 0 else w end,
  c, p, x, d, q, f, l from given where ((i, t) in (select operation, token from gone)) is true
returning operation

-- name: release
-- Hand-backs and takeovers: from the claim straight into `ready`.
with given as materialized (
  select * from json_to_recordset(cast(:rows as json))
  as g (i bigint, t bigint, a smallint, x smallint, d smallint, q text, p smallint, f text, e text)),
gone as (
  delete from opwright.claimed where operation = any (array(select i from given))
    and ((operation, token) in (select i, t from given)) is true
  returning operation, token),
noted as (
  insert into opwright.operationstatus (operation, at, attempt, kind, text)
  select i, {now}, a, 2, e from given where e is not null and ((i, t) in (select operation, token from gone)) is true)
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
select q, p, i, x, d, f from given where ((i, t) in (select operation, token from gone)) is true
returning operation

-- name: promote
-- What is due becomes ready, or asks for a slot of its lane.
with due as (
  delete from opwright.delayed where operation = any (array(
    select operation from opwright.delayed where due <= {now} order by due limit :limit for update skip locked))
  returning operation, queue, rank, errors, deaths, trigger, lane),
bound as (
  insert into opwright.limited (operation, lane, rank, errors, deaths, queue, trigger, fresh)
  select operation, lane, rank, errors, deaths, queue, trigger, true from due where lane is not null returning operation),
queued as (
  insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
  select queue, rank, operation, errors, deaths, trigger from due where lane is null)
select queue, lane is not null as bound from due

-- name: fail_ready
-- Operations that end without having been claimed: no live host knows their trigger.
with given as materialized (
  select * from json_to_recordset(cast(:rows as json)) as g (i bigint, q text, p smallint, e text)),
gone as (
  delete from opwright.ready where (queue, rank, operation) in (select q, p, i from given) returning operation, errors, deaths),
freed as (delete from opwright.operation_keys where (operation in (select operation from gone)) is true
  and operation = any (array(select i from given)))
insert into opwright.outcomes (operation, ended, status, attempt, error)
select g.operation, {now}, 2, g.errors + g.deaths, (select e from given where i = g.operation) from gone g returning operation

-- name: mark
-- What has run longer than one renewal: its worker, its begin, its last sign of life. A claim whose end stands in the open
-- transaction of its trigger is passed by: the lease of the host would wait for it, and end.
with given as materialized (
  select * from json_to_recordset(cast(:rows as json)) as g (i bigint, t bigint, w integer, b bigint, u bigint)),
free as materialized (
  select operation from opwright.claimed where operation = any (array(select i from given)) for no key update skip locked)
update opwright.claimed c set ahead = false, worker = g.w, begun = g.b, updated = g.u
from given g where c.operation = any (array(select operation from free)) and c.operation = g.i and c.token = g.t
  and (c.ahead or c.worker is distinct from g.w or c.updated is distinct from g.u)
returning c.operation

-- name: give_back
-- Claims in the name of a host that the host does not hold: their answer was lost.
with given as materialized (select * from json_to_recordset(cast(:rows as json)) as g (i bigint, t bigint)),
gone as (
  delete from opwright.claimed where host = :host and operation = any (array(select i from given))
    and ((operation, token) in (select i, t from given)) is true
  returning operation, errors, deaths)
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
select o.queue, -o.priority, g.operation, g.errors, g.deaths, o.trigger
from gone g join opwright.operations o on o.id = g.operation returning operation

-- name: note
-- What running operations say of themselves. Of an attempt's progress only the newest line is kept. Fenced like every write.
with given as materialized (
  select g.* from json_to_recordset(cast(:rows as json))
  as g (i bigint, t bigint, a smallint, k smallint, e text, f double precision, m bigint, n integer)
  where (select c.token from opwright.claimed c where c.operation = g.i) = g.t
    or (select e.attempt from opwright.outcomes e where e.operation = g.i and e.status = 1) = g.a),
replaced as (
  delete from opwright.operationstatus where operation = any (array(select i from given where k = 4)) and kind = 4
    and ((operation, attempt) in (select i, a from given where k = 4)) is true)
insert into opwright.operationstatus (operation, at, attempt, kind, text, fraction)
select i, m, a, k, e, f from given order by n returning operation

-- name: drop_unrecorded
-- Claims of what has no record, because somebody deleted it by hand. (A scalar sub-select, which is not hashed.)
delete from opwright.claimed where operation = any (array(
  select c.operation from opwright.claimed c
  where (select o.id from opwright.operations o where o.id = c.operation) is null for update of c skip locked)) returning operation

-- name: uncommitted
-- Claims whose end a trigger has written in a transaction of its caller's: those that still stand, and whether that transaction is
-- over. Nobody waits for it.
with given as materialized (select * from json_to_recordset(cast(:rows as json)) as g (i bigint, t bigint)),
free as materialized (
  select operation from opwright.claimed where operation = any (array(select i from given))
    and ((operation, token) in (select i, t from given)) is true for update skip locked)
select operation, (operation in (select operation from free)) is true as free from opwright.claimed
where operation = any (array(select i from given)) and ((operation, token) in (select i, t from given)) is true

-- name: orphans
-- Claims that no living host has, with what a verdict needs. One whose end stands in somebody's open transaction is left out:
-- all others would wait for it, and the transaction may be that of a frozen process.
select c.operation, c.token, o.trigger, o.queue, -o.priority as rank, c.errors, c.deaths, o.options, o.key, c.begun,
  o.submitter, o.lane, o.period is not null as paced,
  case when exists (select 1 from opwright.cancel_requests x where x.operation = c.operation) then 1 else 0 end as asked
from opwright.claimed c join opwright.operations o on o.id = c.operation
where c.operation > :after and c.host not in (select id from opwright.hosts where state = 1)
order by c.operation limit :limit for update of c skip locked
