-- name: submit
-- Operations without a key. `rows` is one JSON text, so every kind of connection can send it.
with given as materialized (
  select * from json_to_recordset(cast(:rows as json))
  as g (i bigint, t text, q text, p smallint, n text, o text, s text, r bigint, u bigint, w bigint)),
instant as materialized (select {now} as now),
later as materialized (
  select i, coalesce(u, (select now from instant) + w) as due from given where coalesce(u, w) is not null),
kept as (
  insert into opwright.operations (id, created, retry_of, priority, trigger, queue, inputs, options, submitter)
  select i, (select now from instant), r, p, t, q, cast(n as json), cast(o as json), s from given),
waiting as (
  insert into opwright.delayed (operation, due, reason, rank, errors, deaths, queue, trigger)
  select g.i, l.due, 1, -g.p, 0, 0, g.q, g.t from given g join later l on l.i = g.i
  where l.due > (select now from instant)),
queued as (
  insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
  select q, -p, i, 0, 0, t from given
  where not (i in (select i from later where due > (select now from instant))))
select count(*) as landed from given

-- name: submit_one
-- One operation that is ready at once, without a key: half the price of `submit`.
with kept as (
  insert into opwright.operations (id, created, retry_of, priority, trigger, queue, inputs, options, submitter)
  values (:id, {now}, :origin, :priority, :trigger, :queue, cast(:inputs as json), cast(:options as json), :submitter))
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
values (:queue, -cast(:priority as smallint), :id, 0, 0, :trigger)

-- name: submit_keyed
-- One operation with a key: all of it, or nothing when the key is held.
with given as materialized (
  select * from json_to_recordset(cast(:rows as json))
  as g (i bigint, t text, q text, p smallint, n text, o text, s text, r bigint, u bigint, w bigint, k text)),
instant as materialized (select {now} as now),
taken as (
  insert into opwright.operation_keys (trigger, key, operation) select t, k, i from given
  on conflict do nothing returning operation),
mine as materialized (
  select g.*, coalesce(u, (select now from instant) + w) as due from given g where i in (select operation from taken)),
kept as (
  insert into opwright.operations (id, created, retry_of, priority, trigger, queue, inputs, options, submitter, key)
  select i, (select now from instant), r, p, t, q, cast(n as json), cast(o as json), s, k from mine),
waiting as (
  insert into opwright.delayed (operation, due, reason, rank, errors, deaths, queue, trigger)
  select i, due, 1, -p, 0, 0, q, t from mine where due > (select now from instant)),
queued as (
  insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
  select q, -p, i, 0, 0, t from mine where due is null or due <= (select now from instant))
select count(*) as landed from mine

-- name: withdraw
-- Cancel an operation that nobody has claimed. No row: it is claimed, or has ended, or does not exist.
with unready as (
  delete from opwright.ready where operation = :operation and (queue, rank) in (
    select queue, cast(-priority as smallint) from opwright.operations where id = :operation) returning operation, errors, deaths),
undelayed as (
  delete from opwright.delayed where operation = :operation returning operation, errors, deaths),
gone as (select * from unready union all select * from undelayed),
freed as (delete from opwright.operation_keys where operation in (select operation from gone))
insert into opwright.outcomes (operation, ended, status, attempt, error)
select operation, {now}, 3, errors + deaths, :reason from gone returning operation

-- name: request_cancel
-- Ask the owner of a claim to cancel it.
insert into opwright.cancel_requests (operation, at)
select operation, {now} from opwright.claimed where operation = :operation
on conflict (operation) do update set at = excluded.at returning operation

-- name: notify
-- Wake whoever listens. Carries no data: a notification is only a hint to look, and worth no flush of its own.
select pg_notify(:channel, ''), set_config('synchronous_commit', 'off', true)

-- name: notify_within
-- The same inside a caller's transaction, whose durability is not ours to change.
select pg_notify(:channel, '')

-- name: ended
-- Of these operations, those that have ended.
select operation, status, result, error from opwright.outcomes where operation = any (cast(:operations as bigint[]))
