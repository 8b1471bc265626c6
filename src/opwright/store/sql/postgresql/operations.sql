-- name: submit
-- Operations without a key. `rows` is one JSON text, so every kind of connection can send it. What is held (`h`) has a lane or
-- follows others: `submit_bound` finds it a place.
with given as materialized (
  select * from json_to_recordset(cast(:rows as json))
  as g (i bigint, t text, q text, p smallint, n text, o text, s text, r bigint, u bigint, w bigint, h boolean, e bigint,
    l text, c integer, d bigint)),
instant as materialized (select {now} as now),
later as materialized (
  select i, coalesce(u, (select now from instant) + w) as due from given where coalesce(u, w) is not null and h is null),
kept as (
  insert into opwright.operations
    (id, created, retry_of, priority, trigger, queue, inputs, options, submitter, parent, lane, capacity, period)
  select i, (select now from instant), r, p, t, q, cast(n as json), cast(o as json), s, e, l, c, d from given),
waiting as (
  insert into opwright.delayed (operation, due, reason, rank, errors, deaths, queue, trigger)
  select g.i, l.due, 1, -g.p, 0, 0, g.q, g.t from given g join later l on l.i = g.i
  where l.due > (select now from instant)),
queued as (
  insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
  select q, -p, i, 0, 0, t from given
  where h is null and not (i in (select i from later where due > (select now from instant))))
select count(*) as landed from given

-- name: submit_one
-- One operation that is ready at once, without a key: half the price of `submit`. `tell` does what `notify_within` does; `ahead` lets
-- others see it before it is on disk, where `flush` follows.
with kept as (
  insert into opwright.operations (id, created, retry_of, priority, trigger, queue, inputs, options, submitter, parent)
  values (:id, {now}, :origin, :priority, :trigger, :queue, cast(:inputs as json), cast(:options as json), :submitter, :parent))
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
values (:queue, -cast(:priority as smallint), :id, 0, 0, :trigger)
returning case when cast(:tell as boolean) then cast(pg_notify(:channel, '') as text) end,
  case when cast(:ahead as boolean) then set_config('synchronous_commit', 'off', true) end

-- name: submit_claimed
-- As `submit_one`, claimed in the same statement for a host that has a free slot for it. It is ready like any other where a claim would
-- find nothing; a submit does not wait for the gate.
with kept as (
  insert into opwright.operations (id, created, retry_of, priority, trigger, queue, inputs, options, submitter, parent)
  values (:id, {now}, :origin, :priority, :trigger, :queue, cast(:inputs as json), cast(:options as json), :submitter, :parent)),
host as materialized (
  select id from opwright.hosts where id = :host and state = 1
    and pg_try_advisory_xact_lock_shared(:gate)
    and not exists (select from opwright.queues where name = :queue and paused is not null)),
held as (
  insert into opwright.claimed (operation, token, host, errors, deaths, ahead)
  select :id, :token, id, 0, 0, false from host),
unheld as (
  insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
  select :queue, -cast(:priority as smallint), :id, 0, 0, :trigger where not exists (select from host))
select exists (select from host) as claimed,
  case when cast(:ahead as boolean) then set_config('synchronous_commit', 'off', true) end

-- name: flush
-- A commit that has something to flush, and with it all that was committed before: a message that nobody reads.
select pg_logical_emit_message(true, 'opwright', '')

-- name: stored
-- As the common one, and on disk: what was seen there may have been committed ahead of its flush.
select trigger, cast(inputs as text) as inputs, retry_of, pg_logical_emit_message(true, 'opwright', '')
from opwright.operations where id = :operation

-- name: submit_run
-- Operations that are ready at once and differ in nothing but inputs and ids, which follow each other: two thirds of the price of
-- `submit`, because a record with a field for each column costs more to read than its row to write.
with shared as materialized (select {now} as now, cast(:options as json) as options),
given as materialized (
  select :first + place - 1 as id, cast(inputs as json) as inputs
  from string_to_table(:inputs, chr(10)) with ordinality as g (inputs, place)),
kept as (
  insert into opwright.operations (id, created, retry_of, priority, trigger, queue, inputs, options, submitter, parent)
  select id, now, cast(:origin as bigint), cast(:priority as smallint), cast(:trigger as text), cast(:queue as text), inputs,
    options, cast(:submitter as text), cast(:parent as bigint) from given cross join shared)
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
select cast(:queue as text), -cast(:priority as smallint), id, 0, 0, cast(:trigger as text) from given

-- name: submit_keyed
-- One operation with a key: all of it, or nothing when the key is held.
with given as materialized (
  select * from json_to_recordset(cast(:rows as json))
  as g (i bigint, t text, q text, p smallint, n text, o text, s text, r bigint, u bigint, w bigint, k text, h boolean,
    e bigint, l text, c integer, d bigint)),
instant as materialized (select {now} as now),
taken as (
  insert into opwright.operation_keys (trigger, key, operation) select t, k, i from given
  on conflict do nothing returning operation),
mine as materialized (
  select g.*, coalesce(u, (select now from instant) + w) as due from given g where i in (select operation from taken)),
kept as (
  insert into opwright.operations
    (id, created, retry_of, priority, trigger, queue, inputs, options, submitter, key, parent, lane, capacity, period)
  select i, (select now from instant), r, p, t, q, cast(n as json), cast(o as json), s, k, e, l, c, d from mine),
waiting as (
  insert into opwright.delayed (operation, due, reason, rank, errors, deaths, queue, trigger)
  select i, due, 1, -p, 0, 0, q, t from mine where h is null and due > (select now from instant)),
queued as (
  insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
  select q, -p, i, 0, 0, t from mine where h is null and (due is null or due <= (select now from instant)))
select count(*) as landed from mine

-- name: submit_bound
-- A place for what is held: behind the operations that it follows, or in its lane, at once or later.
with given as materialized (
  select *, coalesce(u, {now} + w) as due from json_to_recordset(cast(:rows as json))
  as g (i bigint, t text, q text, p smallint, u bigint, w bigint, l text, f json, x boolean)),
preceded as (
  insert into opwright.predecessors (predecessor, operation, state)
  select distinct cast(a.value as bigint), g.i, 0 from given g cross join lateral json_array_elements_text(g.f) a),
followed as (
  insert into opwright.following (operation, remaining, broken, despite, due, rank, queue, trigger, lane)
  select i, (select count(distinct a.value) from json_array_elements_text(f) a), false, coalesce(x, false), due, -p, q, t, l
  from given where f is not null),
waiting as (
  insert into opwright.delayed (operation, due, reason, rank, errors, deaths, queue, trigger, lane)
  select i, due, 1, -p, 0, 0, q, t, l from given where f is null and due > {now}),
queued as (
  insert into opwright.limited (operation, lane, rank, errors, deaths, queue, trigger, fresh)
  select i, l, -p, 0, 0, q, t, true from given where f is null and (due is null or due <= {now}))
select count(*) as placed from given

-- name: withdraw
-- Cancel an operation that nobody has claimed. No row: it is claimed, or has ended, or does not exist.
with unready as (
  delete from opwright.ready where operation = :operation and (queue, rank) in (
    select queue, cast(-priority as smallint) from opwright.operations where id = :operation) returning operation, errors, deaths),
undelayed as (
  delete from opwright.delayed where operation = :operation returning operation, errors, deaths),
unlimited as (
  delete from opwright.limited where operation = :operation returning operation, errors, deaths),
unfollowing as (
  delete from opwright.following where operation = :operation returning operation, cast(0 as smallint), cast(0 as smallint)),
gone as (
  select * from unready union all select * from undelayed union all select * from unlimited union all select * from unfollowing),
freed as (delete from opwright.operation_keys where operation in (select operation from gone))
insert into opwright.outcomes (operation, ended, status, attempt, error)
select operation, {now}, 3, errors + deaths, :reason from gone returning operation

-- name: request_cancel
-- Ask the owner of a claim to cancel it.
insert into opwright.cancel_requests (operation, at)
select operation, {now} from opwright.claimed where operation = :operation for share
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

-- name: unknown
-- Of these operations, those of which there is no record.
select g.id as operation from unnest(cast(:operations as bigint[])) g (id)
where (select o.id from opwright.operations o where o.id = g.id) is null

-- name: finish_within
-- Success, written by the trigger itself in the transaction that holds its effects. No row: the claim is no longer this one.
with gone as (
  delete from opwright.claimed where operation = :operation and token = :token returning operation, host, errors, deaths),
freed as (delete from opwright.operation_keys where operation in (select operation from gone))
insert into opwright.outcomes (operation, ended, begun, host, status, attempt, result)
select operation, {now}, :begun, host, 1, errors + deaths + 1, cast(:result as json) from gone returning operation

-- name: free_slots
-- The slots of what has ended, or waits for another attempt, are free. A slot with a period is free when that is over.
update opwright.slots set until = 0 where until is null
  and operation = any (array(select cast(value as bigint) from json_array_elements_text(cast(:rows as json))))

-- name: followed_anew
-- Who follows what has ended without a host's doing is to be looked at once more.
update opwright.predecessors set state = 0 where state = 1
  and predecessor = any (array(select cast(value as bigint) from json_array_elements_text(cast(:rows as json))))

-- name: submitters
-- Of these operations, those that are handed back to their submitter.
select id, submitter, queue, priority from opwright.operations
where id = any (array(select cast(value as bigint) from json_array_elements_text(cast(:rows as json)))) and submitter is not null

-- name: resume
-- The value with which an operation is resumed; it lies ready for the next wait. No row: it has ended, or does not exist.
insert into opwright.waits (operation, lapsed, answers)
select id, 0, jsonb_build_array(cast(:value as text)) from opwright.operations
where id = :operation and not exists (select 1 from opwright.outcomes e where e.operation = :operation)
on conflict (operation) do update set lapsed = 0, answers = waits.answers || jsonb_build_array(cast(:value as text))
returning operation

-- name: answered
-- How many answers these have; who gives another one waits for our commit.
select operation, jsonb_array_length(answers) as answers from opwright.waits
where operation = any (array(select cast(value as bigint) from json_array_elements_text(cast(:rows as json)))) for update

-- name: hasten
-- What waits and is to be cancelled is due at once.
update opwright.delayed set due = 0
where operation = any (array(select cast(value as bigint) from json_array_elements_text(cast(:rows as json))))
  and operation in (select operation from opwright.cancel_requests)

-- name: rouse
-- What waits is due at once.
update opwright.delayed set due = 0 where operation = :operation and reason = 3 returning operation

-- name: remember
-- A line in the log of an operation that nobody holds. Its row is locked, so that no line is left of what is swept meanwhile.
insert into opwright.operationstatus (operation, at, attempt, kind, text)
select id, {now}, 0, cast(:kind as smallint), cast(:text as text) from opwright.operations where id = :operation for key share

-- name: request
-- As the common one. Its row is locked, so that an operation is retried or swept, never both at once, and never retried twice.
select o.id, o.trigger, o.queue, o.priority, o.inputs, o.options, o.submitter, o.key, o.lane, o.capacity, o.period,
  exists (select 1 from opwright.outcomes e where e.operation = o.id) as ended
from opwright.operations o where o.id = :operation for no key update of o
