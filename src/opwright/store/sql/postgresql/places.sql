-- name: one_at_a_time
-- Who places holds this lock until its commit: each statement sees what the one before has left, and two hosts that count down
-- the same followers in different orders do not wait for each other.
select pg_advisory_xact_lock(cast(:gate as bigint) + 2)

-- name: spent_slots
-- Slots that have fallen free.
delete from opwright.slots where (lane, number) in (
  select lane, number from opwright.slots where until <= {now} order by until limit :limit) returning lane

-- name: newcomers
-- What asks for a slot for the first time.
update opwright.limited set fresh = false where operation = any (array(
  select operation from opwright.limited where fresh order by operation limit :limit for update skip locked)) returning lane

-- name: admit
-- Fill the free slots of these lanes with the first that wait in each. Whoever holds one of them (a cancel, perhaps in a long
-- transaction of a caller) is not waited for, or its slot would be given to what has ended; while a free slot is so left over,
-- a spent row in it brings the lane back in a moment. At most `limit` of a lane at once.
with wanted as materialized (
  select l.lane, h.capacity from (select distinct value as lane from json_array_elements_text(cast(:lanes as json))) l
  cross join lateral (
    select o.capacity from opwright.limited x join opwright.operations o on o.id = x.operation
    where x.lane = l.lane order by x.rank, x.operation limit 1) h),
free as materialized (
  select w.lane, array(
    select n.number from (
      select generate_series(1, w.capacity) as number except select s.number from opwright.slots s where s.lane = w.lane) n
    order by n.number) as numbers
  from wanted w),
first as materialized (
  select f.lane, f.numbers[x.place] as number, x.operation from free f cross join lateral (
    select operation, row_number() over (order by rank, operation) as place from (
      select rank, operation from opwright.limited where lane = f.lane order by rank, operation limit least(cardinality(f.numbers), :limit)
      for update skip locked) y) x),
taken as (
  insert into opwright.slots (lane, number, operation)
  select lane, number, operation from first returning operation),
again as (
  insert into opwright.slots (lane, number, operation, until)
  select s.lane, s.numbers[s.used + 1], 0, {now} + 100000 from (
    select f.lane, f.numbers, (select count(*) from first x where x.lane = f.lane) as used from free f) s
  where s.used < least(cardinality(s.numbers), :limit) and s.used < (
    select count(*) from (select 1 from opwright.limited l where l.lane = s.lane limit s.used + 1) y)),
admitted as (
  delete from opwright.limited where operation = any (array(select operation from taken))
  returning queue, rank, operation, errors, deaths, trigger)
insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
select queue, rank, operation, errors, deaths, trigger from admitted returning queue

-- name: pace
-- What runs so many times in a period has begun: its slot is free when the period is over.
update opwright.slots s set until = {now} + o.period from opwright.operations o
where o.id = s.operation and s.until is null
  and s.operation = any (array(select cast(value as bigint) from json_array_elements_text(cast(:rows as json))))

-- name: new_predecessors
-- What somebody follows and nobody has looked at yet.
update opwright.predecessors set state = 1 where (predecessor, operation) in (
  select predecessor, operation from opwright.predecessors where state = 0 order by predecessor limit :limit for update skip locked)
returning predecessor

-- name: follow
-- Of these operations, those that have ended are over for whoever follows them. One that never came to be, and is older than
-- `lost`, counts as failed.
with given as materialized (
  select array(select cast(value as bigint) from json_array_elements_text(cast(:rows as json))) as ids),
mine as materialized (
  select operation from opwright.following where operation = any (array(
    select operation from opwright.predecessors where predecessor = any (array(select unnest(ids) from given)) and state < 2))
  for update skip locked),
over as (
  update opwright.predecessors p set state = 2
  where p.predecessor = any (array(select unnest(ids) from given)) and p.state < 2
    and (p.operation in (select operation from mine)
      or (select f.operation from opwright.following f where f.operation = p.operation) is null)
    and ((select e.operation from opwright.outcomes e where e.operation = p.predecessor) is not null
      or (p.predecessor < :lost and (select o.id from opwright.operations o where o.id = p.predecessor) is null))
  returning p.predecessor, p.operation),
counted as (
  select operation, count(*) as ended,
    bool_or((select e.status from opwright.outcomes e where e.operation = predecessor) is distinct from 1) as failed
  from over group by operation)
update opwright.following f set remaining = f.remaining - c.ended, broken = f.broken or c.failed
from counted c where f.operation = c.operation returning f.operation

-- name: set_off
-- Followers with nothing left to follow go on; those that follow a failure, and were not told to go on despite it, are cancelled.
with over as (
  delete from opwright.following where operation = any (array(
    select operation from opwright.following where remaining = 0 or (broken and not despite) limit :limit
    for update skip locked))
  returning operation, broken and not despite as cancelled, due, rank, queue, trigger, lane),
freed as (delete from opwright.operation_keys where operation in (select operation from over where cancelled)),
ended as (
  insert into opwright.outcomes (operation, ended, status, attempt, error)
  select operation, {now}, 3, 0, 'an operation that it follows did not succeed' from over where cancelled),
waiting as (
  insert into opwright.delayed (operation, due, reason, rank, errors, deaths, queue, trigger, lane)
  select operation, due, 1, rank, 0, 0, queue, trigger, lane from over where not cancelled and due > {now}),
bound as (
  insert into opwright.limited (operation, lane, rank, errors, deaths, queue, trigger, fresh)
  select operation, lane, rank, 0, 0, queue, trigger, true from over
  where not cancelled and lane is not null and (due is null or due <= {now})),
queued as (
  insert into opwright.ready (queue, rank, operation, errors, deaths, trigger)
  select queue, rank, operation, 0, 0, trigger from over where not cancelled and lane is null and (due is null or due <= {now}))
select operation, cancelled, queue from over
