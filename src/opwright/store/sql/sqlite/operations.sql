-- name: submit
-- Operations without a key. `rows` is one JSON text, so every kind of connection can send it.
insert into opwright.operations (id, created, retry_of, priority, trigger, queue, inputs, options, submitter)
select json_extract(value, '$.i'), {now}, json_extract(value, '$.r'), json_extract(value, '$.p'), json_extract(value, '$.t'),
  json_extract(value, '$.q'), json_extract(value, '$.n'), json_extract(value, '$.o'), json_extract(value, '$.s')
from json_each(:rows);
insert into opwright.delayed (operation, due, reason, rank, errors, deaths, queue, trigger)
select json_extract(value, '$.i'), coalesce(json_extract(value, '$.u'), {now} + json_extract(value, '$.w')), 1,
  -json_extract(value, '$.p'), 0, 0, json_extract(value, '$.q'), json_extract(value, '$.t')
from json_each(:rows)
where coalesce(json_extract(value, '$.u'), {now} + json_extract(value, '$.w')) > {now};
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
select json_extract(value, '$.q'), -json_extract(value, '$.p'), json_extract(value, '$.i'), 0, 0, json_extract(value, '$.t')
from json_each(:rows)
where not exists (select 1 from opwright.delayed d where d.operation = json_extract(value, '$.i'));
select json_array_length(:rows) as landed

-- name: submit_one
-- One operation that is ready at once, without a key: half the price of `submit`.
insert into opwright.operations (id, created, retry_of, priority, trigger, queue, inputs, options, submitter)
values (:id, {now}, :origin, :priority, :trigger, :queue, :inputs, :options, :submitter);
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
values (:queue, -:priority, :id, 0, 0, :trigger)

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
  and coalesce(json_extract(value, '$.u'), {now} + json_extract(value, '$.w')) > {now};
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
select json_extract(value, '$.q'), -json_extract(value, '$.p'), json_extract(value, '$.i'), 0, 0, json_extract(value, '$.t')
from json_each(:rows)
where exists (select 1 from opwright.operation_keys k where k.operation = json_extract(value, '$.i'))
  and not exists (select 1 from opwright.operations o where o.id = json_extract(value, '$.i'))
  and not exists (select 1 from opwright.delayed d where d.operation = json_extract(value, '$.i'));
insert into opwright.operations (id, created, retry_of, priority, trigger, queue, inputs, options, submitter, key)
select json_extract(value, '$.i'), {now}, json_extract(value, '$.r'), json_extract(value, '$.p'), json_extract(value, '$.t'),
  json_extract(value, '$.q'), json_extract(value, '$.n'), json_extract(value, '$.o'), json_extract(value, '$.s'),
  json_extract(value, '$.k')
from json_each(:rows)
where exists (select 1 from opwright.operation_keys k where k.operation = json_extract(value, '$.i'))
  and not exists (select 1 from opwright.operations o where o.id = json_extract(value, '$.i'));
select count(*) as landed from json_each(:rows)
where exists (select 1 from opwright.operations o where o.id = json_extract(value, '$.i'))

-- name: withdraw
-- Cancel an operation that nobody has claimed. No row: it is claimed, or has ended, or does not exist.
insert into opwright.outcomes (operation, ended, status, attempt, error)
select operation, {now}, 3, errors + deaths, :reason from (
  select r.operation, r.errors, r.deaths from opwright.operations o
  join opwright.ready r on r.queue = o.queue and r.rank = -o.priority and r.operation = o.id where o.id = :operation
  union all
  select operation, errors, deaths from opwright.delayed where operation = :operation)
returning operation;
delete from opwright.operation_keys where operation = :operation and (
  exists (select 1 from opwright.delayed where operation = :operation)
  or exists (select 1 from opwright.operations o
    join opwright.ready r on r.queue = o.queue and r.rank = -o.priority and r.operation = o.id where o.id = :operation));
delete from opwright.ready where operation = :operation and (queue, rank) in (
  select queue, -priority from opwright.operations where id = :operation);
delete from opwright.delayed where operation = :operation

-- name: request_cancel
-- Ask the owner of a claim to cancel it.
insert into opwright.cancel_requests (operation, at)
select operation, {now} from opwright.claimed where operation = :operation
on conflict (operation) do update set at = excluded.at returning operation

-- name: ended
-- Of these operations, those that have ended.
select operation, status, result, error from opwright.outcomes
where operation in (select value from json_each(:operations))
