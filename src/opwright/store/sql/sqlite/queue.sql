-- name: claim
-- Take the first rows of a queue that this host's triggers can run. They leave `ready` as a range, from its begin to the last of them;
-- `+` takes the column's type from a bound, without which SQLite would not search by it. Packed by 128, so that also the largest
-- inputs stay far from the longest text that SQLite makes; `'' ||` keeps an array of answers a text within the row.
delete from temp.picked;
insert into temp.picked (queue, rank, operation, errors, deaths)
select queue, rank, operation, errors, deaths from opwright.ready
where queue = :queue and trigger in (select value from json_each(:triggers))
  and exists (select 1 from opwright.hosts where id = :host and state = 1)
  and not exists (select 1 from opwright.queues where name = :queue and paused is not null)
order by rank, operation limit :limit;
delete from opwright.ready where queue = :queue
  and (rank, operation) <= (select +rank, +operation from temp.picked order by rowid desc limit 1)
  and trigger in (select value from json_each(:triggers));
insert into opwright.claimed (operation, token, host, errors, deaths, ahead)
select operation, :token, :host, errors, deaths, :ahead from temp.picked;
with recursive bundles(first) as (
  select 1 union all select first + 128 from bundles where first + 128 <= (select max(rowid) from temp.picked))
select (
  select json_group_array(json_array(o.id, p.rank, p.errors, p.deaths, o.trigger, o.inputs, o.options, o.key,
    x.operation is not null, o.submitter, o.lane, o.period is not null,
    case when w.operation is not null then '' || json_array(w.lapsed, json(w.answers)) end))
  from temp.picked p cross join opwright.operations o on o.id = p.operation
  left join opwright.cancel_requests x on x.operation = o.id left join opwright.waits w on w.operation = o.id
  where p.rowid >= first and p.rowid < first + 128) as packed
from bundles

-- name: finish
-- Ends: by token, by operation, either when it began (it succeeded at the first attempt, and that is all) or an array of status,
-- attempt, begin, result, error and whether it has a key. `atom` is null for an array. The attempt is what the claim says it is.
-- (Not `->>`, which SQLite has since 3.38.)
delete from temp.given;
insert into temp.given (operation, status, attempt, begun, result, error, keyed)
select c.operation, case when g.atom is null then json_extract(g.value, '$[0]') else 1 end, c.errors + c.deaths + 1,
  coalesce(g.atom, json_extract(g.value, '$[2]')), case when g.atom is null then json_extract(g.value, '$[3]') end,
  case when g.atom is null then json_extract(g.value, '$[4]') end, case when g.atom is null then json_extract(g.value, '$[5]') end
from json_each(:rows) t cross join json_each(t.value) g
cross join opwright.claimed c on c.operation = cast(g.key as integer) and c.token = cast(t.key as integer);
delete from opwright.claimed where operation in (select operation from temp.given);
delete from opwright.operation_keys where operation in (select operation from temp.given where keyed);
delete from opwright.cancel_requests where operation in (select operation from temp.given where status = 3);
insert into opwright.outcomes (operation, ended, begun, host, status, attempt, result, error)
select operation, {now}, begun, :host, status, attempt, result, error from temp.given;
select json_group_array(operation) as packed from temp.given

-- name: postpone
-- Errors with budget left, and waits: from the claim into `delayed`, with a line in the log. Who waits for an answer that has
-- come meanwhile (`v` are those it had seen) is due at once.
delete from temp.given;
insert into temp.given (operation, token, attempt, errors, deaths, wait, reason, queue, rank, trigger, error, kind, lane, seen)
select json_extract(value, '$.i'), json_extract(value, '$.t'), json_extract(value, '$.a'), json_extract(value, '$.x'),
  json_extract(value, '$.d'), json_extract(value, '$.w'), json_extract(value, '$.c'), json_extract(value, '$.q'),
  json_extract(value, '$.p'), json_extract(value, '$.f'), json_extract(value, '$.e'), json_extract(value, '$.k'),
  json_extract(value, '$.l'), coalesce(json_extract(value, '$.v'), 0)
from json_each(:rows);
delete from temp.given where not exists (
  select 1 from opwright.claimed c where c.operation = given.operation and c.token = given.token);
delete from opwright.claimed where operation in (select operation from temp.given);
insert into opwright.waits (operation, lapsed, answers)
select operation, 1, '[]' from temp.given where reason = 3
on conflict (operation) do update set lapsed = case when json_array_length(answers) > (
    select seen from temp.given g where g.operation = excluded.operation) then 0 else lapsed + 1 end;
insert into opwright.operationstatus (operation, at, attempt, kind, text)
select operation, {now}, attempt, kind, error from temp.given where error is not null;
insert into opwright.delayed (operation, due, reason, rank, errors, deaths, queue, trigger, lane)
select g.operation, {now} + case when g.reason = 3 and exists (
    select 1 from opwright.waits s where s.operation = g.operation and json_array_length(s.answers) > g.seen) then 0 else g.wait end,
  g.reason, g.rank, g.errors, g.deaths, g.queue, g.trigger, g.lane from temp.given g
returning operation

-- name: release
-- Hand-backs and takeovers: from the claim straight into `ready`.
delete from temp.given;
insert into temp.given (operation, token, attempt, errors, deaths, queue, rank, trigger, error)
select json_extract(value, '$.i'), json_extract(value, '$.t'), json_extract(value, '$.a'), json_extract(value, '$.x'),
  json_extract(value, '$.d'), json_extract(value, '$.q'), json_extract(value, '$.p'), json_extract(value, '$.f'),
  json_extract(value, '$.e')
from json_each(:rows);
delete from temp.given where not exists (
  select 1 from opwright.claimed c where c.operation = given.operation and c.token = given.token);
delete from opwright.claimed where operation in (select operation from temp.given);
insert into opwright.operationstatus (operation, at, attempt, kind, text)
select operation, {now}, attempt, 2, error from temp.given where error is not null;
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
select queue, rank, operation, errors, deaths, trigger from temp.given
returning operation

-- name: promote
-- What is due becomes ready, or asks for a slot of its lane.
delete from temp.picked;
insert into temp.picked (queue, rank, operation, errors, deaths, trigger, lane)
select queue, rank, operation, errors, deaths, trigger, lane from opwright.delayed where due <= {now} order by due limit :limit;
delete from opwright.delayed where operation in (select operation from temp.picked);
insert into opwright.limited (operation, lane, rank, errors, deaths, queue, trigger, fresh)
select operation, lane, rank, errors, deaths, queue, trigger, 1 from temp.picked where lane is not null;
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
select queue, rank, operation, errors, deaths, trigger from temp.picked where lane is null;
select queue, lane is not null as bound from temp.picked

-- name: fail_ready
-- Operations that end without having been claimed: no live host knows their trigger.
delete from temp.given;
insert into temp.given (operation, queue, rank, error)
select json_extract(value, '$.i'), json_extract(value, '$.q'), json_extract(value, '$.p'), json_extract(value, '$.e')
from json_each(:rows);
delete from temp.given where not exists (
  select 1 from opwright.ready r where r.queue = given.queue and r.rank = given.rank and r.operation = given.operation);
insert into opwright.outcomes (operation, ended, status, attempt, error)
select r.operation, {now}, 2, r.errors + r.deaths, g.error from temp.given g
join opwright.ready r on r.queue = g.queue and r.rank = g.rank and r.operation = g.operation returning operation;
delete from opwright.ready where (queue, rank, operation) in (select queue, rank, operation from temp.given);
delete from opwright.operation_keys where operation in (select operation from temp.given)

-- name: mark
-- What has run longer than one renewal: its worker, its begin, its last sign of life.
update opwright.claimed set ahead = 0, worker = json_extract(g.value, '$.w'), begun = json_extract(g.value, '$.b'),
  updated = json_extract(g.value, '$.u')
from json_each(:rows) g
where operation = json_extract(g.value, '$.i') and token = json_extract(g.value, '$.t')
returning operation

-- name: give_back
-- Claims in the name of a host that the host does not hold: their answer was lost.
delete from temp.given;
insert into temp.given (operation, token) select json_extract(value, '$.i'), json_extract(value, '$.t') from json_each(:rows);
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
select o.queue, -o.priority, c.operation, c.errors, c.deaths, o.trigger
from temp.given g join opwright.claimed c on c.operation = g.operation and c.token = g.token
join opwright.operations o on o.id = c.operation where c.host = :host;
delete from opwright.claimed
where host = :host and (operation, token) in (select operation, token from temp.given) returning operation

-- name: note
-- What running operations say of themselves. Fenced like every write. Of an attempt's progress only the newest line is kept; the old
-- one goes when the new one is in, because the highest id would be given out again, and whoever follows reads on from an id.
delete from temp.given;
insert into temp.given (operation, token, attempt, kind, error, fraction, begun)
select json_extract(value, '$.i'), json_extract(value, '$.t'), json_extract(value, '$.a'), json_extract(value, '$.k'),
  json_extract(value, '$.e'), json_extract(value, '$.f'), json_extract(value, '$.m')
from json_each(:rows) order by key;
delete from temp.given where not exists (
  select 1 from opwright.claimed c where c.operation = given.operation and c.token = given.token)
  and not exists (select 1 from opwright.outcomes e
    where e.operation = given.operation and e.status = 1 and e.attempt = given.attempt);
insert into opwright.operationstatus (operation, at, attempt, kind, text, fraction)
select operation, begun, attempt, kind, error, fraction from temp.given order by rowid;
delete from opwright.operationstatus where kind = 4 and operation in (select operation from temp.given where kind = 4)
  and id < (select max(n.id) from opwright.operationstatus n where n.operation = opwright.operationstatus.operation
    and n.kind = 4 and n.attempt = opwright.operationstatus.attempt) returning operation

-- name: drop_unrecorded
-- Claims of what has no record, because somebody deleted it by hand.
delete from opwright.claimed
where not exists (select 1 from opwright.operations o where o.id = opwright.claimed.operation) returning operation

-- name: uncommitted
-- Claims whose end a trigger has written in a transaction of its caller's, and that still stand. Whoever can write here knows that
-- no such transaction is open.
update opwright.claimed set ahead = ahead where exists (
  select 1 from json_each(:rows) g
  where json_extract(g.value, '$.i') = opwright.claimed.operation and json_extract(g.value, '$.t') = opwright.claimed.token)
returning operation, 1 as free

-- name: orphans
-- Claims that no living host has, with what a verdict needs.
select c.operation, c.token, o.trigger, o.queue, -o.priority as rank, c.errors, c.deaths, o.options, o.key, c.begun,
  o.submitter, o.lane, o.period is not null as paced,
  case when exists (select 1 from opwright.cancel_requests x where x.operation = c.operation) then 1 else 0 end as asked
from opwright.claimed c join opwright.operations o on o.id = c.operation
where c.operation > :after and c.host not in (select id from opwright.hosts where state = 1)
order by c.operation limit :limit
