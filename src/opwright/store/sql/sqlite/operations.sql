-- name: submit
-- Operations without a key. `rows` is one JSON text, so every kind of connection can send it. What is held (`h`) has a lane or
-- follows others: `submit_bound` finds it a place.
insert into opwright.operations
  (id, created, retry_of, priority, trigger, queue, inputs, options, submitter, parent, lane, capacity, period)
select json_extract(value, '$.i'), {now}, json_extract(value, '$.r'), json_extract(value, '$.p'), json_extract(value, '$.t'),
  json_extract(value, '$.q'), json_extract(value, '$.n'), json_extract(value, '$.o'), json_extract(value, '$.s'),
  json_extract(value, '$.e'), json_extract(value, '$.l'), json_extract(value, '$.c'), json_extract(value, '$.d')
from json_each(:rows);
insert into opwright.delayed (operation, due, reason, rank, errors, deaths, queue, trigger)
select json_extract(value, '$.i'), coalesce(json_extract(value, '$.u'), {now} + json_extract(value, '$.w')), 1,
  -json_extract(value, '$.p'), 0, 0, json_extract(value, '$.q'), json_extract(value, '$.t')
from json_each(:rows)
where json_extract(value, '$.h') is null and coalesce(json_extract(value, '$.u'), {now} + json_extract(value, '$.w')) > {now};
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
select json_extract(value, '$.q'), -json_extract(value, '$.p'), json_extract(value, '$.i'), 0, 0, json_extract(value, '$.t')
from json_each(:rows)
where json_extract(value, '$.h') is null and not exists (select 1 from opwright.delayed d where d.operation = json_extract(value, '$.i'));
select json_array_length(:rows) as landed

-- name: submit_one
-- One operation that is ready at once, without a key: half the price of `submit`.
insert into opwright.operations (id, created, retry_of, priority, trigger, queue, inputs, options, submitter, parent)
values (:id, {now}, :origin, :priority, :trigger, :queue, :inputs, :options, :submitter, :parent);
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
values (:queue, -:priority, :id, 0, 0, :trigger)

-- name: submit_claimed
-- As `submit_one`, claimed in the same transaction for a host that has a free slot for it; ready where a claim would find nothing.
insert into opwright.operations (id, created, retry_of, priority, trigger, queue, inputs, options, submitter, parent)
values (:id, {now}, :origin, :priority, :trigger, :queue, :inputs, :options, :submitter, :parent);
insert into opwright.claimed (operation, token, host, errors, deaths, ahead)
select :id, :token, id, 0, 0, 0 from opwright.hosts where id = :host and state = 1
  and not exists (select 1 from opwright.queues where name = :queue and paused is not null);
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
select :queue, -:priority, :id, 0, 0, :trigger where not exists (select 1 from opwright.claimed where operation = :id);
select exists (select 1 from opwright.claimed where operation = :id) as claimed

-- name: submit_run
-- Operations that are ready at once and differ in nothing but inputs and ids, which follow each other: a third of the price of
-- `submit`. Each line becomes a text of its own: as JSON it could be too deep for SQLite's reader.
insert into opwright.operations (id, created, retry_of, priority, trigger, queue, inputs, options, submitter, parent)
select :first + key, {now}, :origin, :priority, :trigger, :queue, value, :options, :submitter, :parent
from json_each('["' || replace(replace(replace(:inputs, '\', '\\'), '"', '\"'), char(10), '","') || '"]');
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
select :queue, -:priority, id, 0, 0, :trigger from opwright.operations
where id >= :first and id <= last_insert_rowid()

-- name: submit_keyed
-- One operation with a key: all of it, or nothing when the key is held. The request comes last: that it is not there yet tells
-- a first submit from one that is sent again after a lost answer.
insert into opwright.operation_keys (trigger, key, operation)
select json_extract(value, '$.t'), json_extract(value, '$.k'), json_extract(value, '$.i') from json_each(:rows)
where not exists (select 1 from opwright.operations o where o.id = json_extract(value, '$.i'))
on conflict do nothing;
insert into opwright.delayed (operation, due, reason, rank, errors, deaths, queue, trigger)
select json_extract(value, '$.i'), coalesce(json_extract(value, '$.u'), {now} + json_extract(value, '$.w')), 1,
  -json_extract(value, '$.p'), 0, 0, json_extract(value, '$.q'), json_extract(value, '$.t')
from json_each(:rows)
where exists (select 1 from opwright.operation_keys k where k.operation = json_extract(value, '$.i'))
  and not exists (select 1 from opwright.operations o where o.id = json_extract(value, '$.i'))
  and json_extract(value, '$.h') is null
  and coalesce(json_extract(value, '$.u'), {now} + json_extract(value, '$.w')) > {now};
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
select json_extract(value, '$.q'), -json_extract(value, '$.p'), json_extract(value, '$.i'), 0, 0, json_extract(value, '$.t')
from json_each(:rows)
where exists (select 1 from opwright.operation_keys k where k.operation = json_extract(value, '$.i'))
  and not exists (select 1 from opwright.operations o where o.id = json_extract(value, '$.i'))
  and json_extract(value, '$.h') is null
  and not exists (select 1 from opwright.delayed d where d.operation = json_extract(value, '$.i'));
insert into opwright.operations
  (id, created, retry_of, priority, trigger, queue, inputs, options, submitter, key, parent, lane, capacity, period)
select json_extract(value, '$.i'), {now}, json_extract(value, '$.r'), json_extract(value, '$.p'), json_extract(value, '$.t'),
  json_extract(value, '$.q'), json_extract(value, '$.n'), json_extract(value, '$.o'), json_extract(value, '$.s'),
  json_extract(value, '$.k'), json_extract(value, '$.e'), json_extract(value, '$.l'), json_extract(value, '$.c'),
  json_extract(value, '$.d')
from json_each(:rows)
where exists (select 1 from opwright.operation_keys k where k.operation = json_extract(value, '$.i'))
  and not exists (select 1 from opwright.operations o where o.id = json_extract(value, '$.i'));
select count(*) as landed from json_each(:rows)
where exists (select 1 from opwright.operations o where o.id = json_extract(value, '$.i'))

-- name: submit_bound
-- A place for what is held: behind the operations that it follows, or in its lane, at once or later.
insert or ignore into opwright.predecessors (predecessor, operation, state)
select a.value, json_extract(g.value, '$.i'), 0 from json_each(:rows) g, json_each(g.value, '$.f') a;
insert into opwright.following (operation, remaining, broken, despite, due, rank, queue, trigger, lane)
select json_extract(g.value, '$.i'), (select count(distinct a.value) from json_each(g.value, '$.f') a), 0,
  coalesce(json_extract(g.value, '$.x'), 0), coalesce(json_extract(g.value, '$.u'), {now} + json_extract(g.value, '$.w')),
  -json_extract(g.value, '$.p'), json_extract(g.value, '$.q'), json_extract(g.value, '$.t'), json_extract(g.value, '$.l')
from json_each(:rows) g where json_extract(g.value, '$.f') is not null;
insert into opwright.delayed (operation, due, reason, rank, errors, deaths, queue, trigger, lane)
select json_extract(value, '$.i'), coalesce(json_extract(value, '$.u'), {now} + json_extract(value, '$.w')), 1,
  -json_extract(value, '$.p'), 0, 0, json_extract(value, '$.q'), json_extract(value, '$.t'), json_extract(value, '$.l')
from json_each(:rows) where json_extract(value, '$.f') is null
  and coalesce(json_extract(value, '$.u'), {now} + json_extract(value, '$.w')) > {now};
insert into opwright.limited (operation, lane, rank, errors, deaths, queue, trigger, fresh)
select json_extract(value, '$.i'), json_extract(value, '$.l'), -json_extract(value, '$.p'), 0, 0,
  json_extract(value, '$.q'), json_extract(value, '$.t'), 1
from json_each(:rows) where json_extract(value, '$.f') is null
  and not exists (select 1 from opwright.delayed d where d.operation = json_extract(value, '$.i'));
select json_array_length(:rows) as placed

-- name: withdraw
-- Cancel an operation that nobody has claimed. No row: it is claimed, or has ended, or does not exist.
insert into opwright.outcomes (operation, ended, status, attempt, error)
select operation, {now}, 3, errors + deaths, :reason from (
  select r.operation, r.errors, r.deaths from opwright.operations o
  join opwright.ready r on r.queue = o.queue and r.rank = -o.priority and r.operation = o.id where o.id = :operation
  union all select operation, errors, deaths from opwright.delayed where operation = :operation
  union all select operation, errors, deaths from opwright.limited where operation = :operation
  union all select operation, 0, 0 from opwright.following where operation = :operation)
returning operation;
delete from opwright.operation_keys where operation = :operation
  and exists (select 1 from opwright.outcomes e where e.operation = :operation);
delete from opwright.ready where operation = :operation and (queue, rank) in (
  select queue, -priority from opwright.operations where id = :operation);
delete from opwright.delayed where operation = :operation;
delete from opwright.limited where operation = :operation;
delete from opwright.following where operation = :operation

-- name: request_cancel
-- Ask the owner of a claim to cancel it.
insert into opwright.cancel_requests (operation, at)
select operation, {now} from opwright.claimed where operation = :operation
on conflict (operation) do update set at = excluded.at returning operation

-- name: ended
-- Of these operations, those that have ended.
select operation, status, result, error from opwright.outcomes
where operation in (select value from json_each(:operations))

-- name: unknown
-- Of these operations, those of which there is no record.
select g.value as operation from json_each(:operations) g
where not exists (select 1 from opwright.operations o where o.id = g.value)

-- name: finish_within
-- Success, written by the trigger itself in the transaction that holds its effects. No row: the claim is no longer this one.
insert into opwright.outcomes (operation, ended, begun, host, status, attempt, result)
select operation, {now}, :begun, host, 1, errors + deaths + 1, :result
from opwright.claimed where operation = :operation and token = :token returning operation;
delete from opwright.operation_keys where operation = :operation
  and exists (select 1 from opwright.claimed where operation = :operation and token = :token);
delete from opwright.claimed where operation = :operation and token = :token

-- name: free_slots
-- The slots of what has ended, or waits for another attempt, are free. A slot with a period is free when that is over.
update opwright.slots set until = 0 where until is null and operation in (select value from json_each(:rows))

-- name: followed_anew
-- Who follows what has ended without a host's doing is to be looked at once more.
update opwright.predecessors set state = 0 where state = 1 and predecessor in (select value from json_each(:rows))

-- name: submitters
-- Of these operations, those that are handed back to their submitter.
select id, submitter, queue, priority from opwright.operations
where id in (select value from json_each(:rows)) and submitter is not null

-- name: resume
-- The value with which an operation is resumed; it lies ready for the next wait. No row: it has ended, or does not exist.
insert into opwright.waits (operation, lapsed, answers)
select id, 0, json_array(:value) from opwright.operations
where id = :operation and not exists (select 1 from opwright.outcomes e where e.operation = :operation)
on conflict (operation) do update set lapsed = 0, answers = json_insert(answers, '$[#]', :value)
returning operation

-- name: answered
-- How many answers these have; who gives another one waits for our commit.
select operation, json_array_length(answers) as answers from opwright.waits where operation in (select value from json_each(:rows))

-- name: hasten
-- What waits and is to be cancelled is due at once.
update opwright.delayed set due = 0 where operation in (select value from json_each(:rows))
  and operation in (select operation from opwright.cancel_requests)

-- name: rouse
-- What waits is due at once.
update opwright.delayed set due = 0 where operation = :operation and reason = 3 returning operation

-- name: remember
-- A line in the log of an operation that nobody holds.
insert into opwright.operationstatus (operation, at, attempt, kind, text)
select id, {now}, 0, :kind, :text from opwright.operations where id = :operation
