-- name: one_at_a_time
-- Writers are serial here; the name is there for the engine whose writers are not.
select 1 as alone

-- name: spent_slots
-- Slots that have fallen free.
delete from opwright.slots where (lane, number) in (
  select lane, number from opwright.slots where until <= {now} order by until limit :limit) returning lane

-- name: newcomers
-- What asks for a slot for the first time.
update opwright.limited set fresh = 0 where operation in (
  select operation from opwright.limited where fresh order by operation limit :limit) returning lane

-- name: admit
-- Fill the free slots of these lanes with the first that wait in each, at most `limit` of a lane at once. The walk takes one step
-- for each slot of a lane, however many wait.
delete from temp.picked;
insert into temp.picked (lane, number, rank, operation, errors, deaths, queue, trigger)
with recursive wanted as materialized (
  select l.lane, (
    select x.operation from opwright.limited x where x.lane = l.lane order by x.rank, x.operation limit 1) as head
  from (select distinct value as lane from json_each(:lanes)) l),
first (lane, operation, rank, place, capacity) as (
  select w.lane, x.operation, x.rank, 1, o.capacity
  from wanted w join opwright.limited x on x.operation = w.head join opwright.operations o on o.id = w.head
  union all
  select f.lane, x.operation, x.rank, f.place + 1, f.capacity from first f join opwright.limited x on x.operation = (
    select y.operation from opwright.limited y
    where y.lane = f.lane and (y.rank, y.operation) > (f.rank, f.operation) order by y.rank, y.operation limit 1)
  where f.place < f.capacity and f.place < :limit),
numbers (lane, number, capacity) as (
  select lane, 1, capacity from first where place = 1
  union all select lane, number + 1, capacity from numbers where number < capacity),
free as materialized (
  select n.lane, n.number, row_number() over (partition by n.lane order by n.number) as place from numbers n
  where not exists (select 1 from opwright.slots s where s.lane = n.lane and s.number = n.number))
select f.lane, free.number, x.rank, x.operation, x.errors, x.deaths, x.queue, x.trigger
from first f cross join free on free.lane = f.lane and free.place = f.place
cross join opwright.limited x on x.operation = f.operation;
insert into opwright.slots (lane, number, operation) select lane, number, operation from temp.picked;
delete from opwright.limited where operation in (select operation from temp.picked);
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
select queue, rank, operation, errors, deaths, trigger from temp.picked returning queue

-- name: pace
-- What runs so many times in a period has begun: its slot is free when the period is over.
update opwright.slots set until = {now} + (select o.period from opwright.operations o where o.id = operation)
where until is null and operation in (select value from json_each(:rows))

-- name: new_predecessors
-- What somebody follows and nobody has looked at yet.
update opwright.predecessors set state = 1 where (predecessor, operation) in (
  select predecessor, operation from opwright.predecessors where state = 0 order by predecessor limit :limit)
returning predecessor

-- name: follow
-- Of these operations, those that have ended are over for whoever follows them. One that never came to be, and is older than
-- `lost`, counts as failed.
delete from temp.given;
insert into temp.given (operation, begun, status)
select p.operation, p.predecessor, not exists (select 1 from opwright.outcomes e where e.operation = p.predecessor and e.status = 1)
from opwright.predecessors p
where p.predecessor in (select value from json_each(:rows)) and p.state < 2
  and (exists (select 1 from opwright.outcomes e where e.operation = p.predecessor)
    or (p.predecessor < :lost and not exists (select 1 from opwright.operations o where o.id = p.predecessor)));
update opwright.predecessors set state = 2 where (predecessor, operation) in (select begun, operation from temp.given);
update opwright.following set remaining = remaining - g.ends, broken = broken or g.failed
from (select operation as follower, count(*) as ends, max(status) as failed from temp.given group by operation) g
where operation = g.follower returning operation

-- name: set_off
-- Followers with nothing left to follow go on; those that follow a failure, and were not told to go on despite it, are cancelled.
delete from temp.given;
insert into temp.given (operation, status, wait, rank, queue, trigger, lane)
select operation, broken and not despite, due, rank, queue, trigger, lane from opwright.following
where remaining = 0 or (broken and not despite) limit :limit;
delete from opwright.following where operation in (select operation from temp.given);
delete from opwright.operation_keys where operation in (select operation from temp.given where status);
insert into opwright.outcomes (operation, ended, status, attempt, error)
select operation, {now}, 3, 0, 'an operation that it follows did not succeed' from temp.given where status;
insert into opwright.delayed (operation, due, reason, rank, errors, deaths, queue, trigger, lane)
select operation, wait, 1, rank, 0, 0, queue, trigger, lane from temp.given where not status and wait > {now};
delete from temp.given where not status and operation in (select operation from opwright.delayed);
insert into opwright.limited (operation, lane, rank, errors, deaths, queue, trigger, fresh)
select operation, lane, rank, 0, 0, queue, trigger, 1 from temp.given where not status and lane is not null;
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
select queue, rank, operation, 0, 0, trigger from temp.given where not status and lane is null;
select operation, status as cancelled, queue from temp.given
