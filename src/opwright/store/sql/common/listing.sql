-- name: listed
-- The operations of any status, the newest first, before an id.
select {overview} from opwright.overview v
where v.id < :before and (cast(:trigger as text) is null or v.trigger = :trigger)
order by v.id desc limit :limit

-- name: listed_pending
-- What waits for a worker: ready, due later, over a limit, behind others, or claimed ahead. Costs what is pending, never what has ended.
select {overview} from opwright.overview v where v.id in (
  select operation from (
    select r.operation from opwright.ready r
    where r.operation < :before and (cast(:trigger as text) is null or r.trigger = :trigger)
    union all
    select d.operation from opwright.delayed d
    where d.reason <> 3 and d.operation < :before and (cast(:trigger as text) is null or d.trigger = :trigger)
    union all
    select l.operation from opwright.limited l
    where l.operation < :before and (cast(:trigger as text) is null or l.trigger = :trigger)
    union all
    select f.operation from opwright.following f
    where f.operation < :before and (cast(:trigger as text) is null or f.trigger = :trigger)
    union all
    select c.operation from opwright.claimed c
    where c.ahead and c.operation < :before and (cast(:trigger as text) is null
      or (select o.trigger from opwright.operations o where o.id = c.operation) = :trigger)) p
  order by operation desc limit :limit)
order by v.id desc

-- name: listed_processing
-- What hosts hold and do not merely hold ahead.
select {overview} from opwright.overview v where v.id in (
  select c.operation from opwright.claimed c
  where not c.ahead and c.operation < :before and (cast(:trigger as text) is null
      or (select o.trigger from opwright.operations o where o.id = c.operation) = :trigger)
  order by c.operation desc limit :limit)
order by v.id desc

-- name: listed_wait
-- What its trigger wants to be asked about again.
select {overview} from opwright.overview v where v.id in (
  select d.operation from opwright.delayed d
  where d.reason = 3 and d.operation < :before and (cast(:trigger as text) is null or d.trigger = :trigger)
  order by d.operation desc limit :limit)
order by v.id desc

-- name: listed_succeeded
-- Most ends are successes, so a walk down the primary key finds a page at once.
select {overview} from opwright.overview v where v.id in (
  select e.operation from opwright.outcomes e
  where e.status = 1 and e.operation < :before and (cast(:trigger as text) is null
      or (select o.trigger from opwright.operations o where o.id = e.operation) = :trigger)
  order by e.operation desc limit :limit)
order by v.id desc

-- name: listed_unhappy
-- FAILED or CANCELLED, the last to end first: the order of their index. `before` is the last operation of the page before.
select {overview} from (
  select e.operation, e.ended from opwright.outcomes e
  where e.status = :status and e.status <> 1 and (cast(:trigger as text) is null
      or (select o.trigger from opwright.operations o where o.id = e.operation) = :trigger)
    and (e.ended, e.operation) < (
      coalesce((select b.ended from opwright.outcomes b where b.operation = :before), 9223372036854775807), :before)
  order by e.ended desc, e.operation desc limit :limit) page
join opwright.overview v on v.id = page.operation
order by page.ended desc, page.operation desc

-- name: standing
-- What the view leaves out about one operation: its budgets, why it waits, its last sign of life, who wants it cancelled, the
-- limit it runs under, what it was answered.
select o.options, d.reason, c.updated, x.at as cancel_asked, h.name as host_name, o.lane, o.capacity, o.period,
  l.operation is not null as limited, f.remaining, f.despite, w.lapsed, cast(w.answers as text) as answers
from opwright.operations o
left join opwright.delayed d on d.operation = o.id
left join opwright.claimed c on c.operation = o.id
left join opwright.limited l on l.operation = o.id
left join opwright.following f on f.operation = o.id
left join opwright.waits w on w.operation = o.id
left join opwright.outcomes e on e.operation = o.id
left join opwright.cancel_requests x on x.operation = o.id
left join opwright.hosts h on h.id = coalesce(e.host, c.host)
where o.id = :operation

-- name: listed_children
-- What was submitted while an operation ran, the oldest first.
select v.id, v.trigger, v.status from opwright.overview v where v.id in (
  select id from opwright.operations where parent = :operation order by id limit :limit)
order by v.id

-- name: listed_predecessors
-- What an operation follows; one whose record was swept has neither trigger nor status.
select p.predecessor as id, v.trigger, v.status from (
  select predecessor from opwright.predecessors where operation = :operation order by predecessor limit :limit) p
left join opwright.overview v on v.id = p.predecessor
order by p.predecessor

-- name: holders
-- Who holds the slots of a lane; `until`: the slot is free from then on.
select s.operation as id, v.trigger, v.status, s.until from opwright.slots s
left join opwright.overview v on v.id = s.operation
where s.lane = :lane order by s.number

-- name: running
-- What hosts hold and do not merely hold ahead; `begun` is written only for what outlives a renewal.
select c.operation, o.trigger, c.begun from opwright.claimed c join opwright.operations o on o.id = c.operation where not c.ahead

-- name: retried
-- Every operation that has been submitted once more. Costs a walk through the records.
select distinct retry_of as operation from opwright.operations where retry_of is not null

-- name: leaked_slots
-- Slots that are taken by what has ended, or has been swept since. There must be none: a slot falls free in the transaction of the end.
select s.lane, s.operation from opwright.slots s
where s.until is null and (exists (select 1 from opwright.outcomes e where e.operation = s.operation)
  or not exists (select 1 from opwright.operations o where o.id = s.operation))
order by s.lane, s.operation limit 100

-- name: ready_work
-- What is ready, by queue and trigger. Costs a walk through all that is ready.
select queue, trigger, count(*) as operations, min(operation) as oldest
from opwright.ready group by queue, trigger order by queue, trigger
