-- name: key_holder
-- Which operation holds this key.
select operation from opwright.operation_keys where trigger = :trigger and key = :key

-- name: known
-- Whether an operation is there, and whether it has ended.
select (select count(*) from opwright.operations where id = :operation) as known,
  (select count(*) from opwright.outcomes where operation = :operation) as ended

-- name: stored
-- What was written under an id: whether it is what a submit meant to write, whose answer was lost.
select trigger, cast(inputs as text) as inputs, retry_of from opwright.operations where id = :operation

-- name: operation
-- One operation as people see it, with its status computed by the view.
select {overview} from opwright.overview v where v.id = :operation

-- name: notes
-- The log lines of an operation after a position.
select id, at, attempt, kind, text, fraction from opwright.operationstatus
where operation = :operation and id > :after order by id

-- name: latest
-- The newest operations before an id, of any status.
select {overview} from opwright.overview v where v.id < :before order by v.id desc limit :limit

-- name: counts
-- How many operations stand where. Counts of ready and ended may take a moment on millions of rows.
select 'PENDING' as status, (select count(*) from opwright.ready) + (select count(*) from opwright.claimed where ahead)
  + (select count(*) from opwright.delayed where reason <> 3) + (select count(*) from opwright.limited)
  + (select count(*) from opwright.following) as operations
union all select 'PROCESSING', (select count(*) from opwright.claimed where not ahead)
union all select 'WAIT', (select count(*) from opwright.delayed where reason = 3)
union all select 'SUCCEEDED', (select count(*) from opwright.outcomes where status = 1)
union all select 'FAILED', (select count(*) from opwright.outcomes where status = 2)
union all select 'CANCELLED', (select count(*) from opwright.outcomes where status = 3)

-- name: request
-- An operation as it was submitted, and whether it has ended: what a retry needs.
select o.id, o.trigger, o.queue, o.priority, o.inputs, o.options, o.submitter, o.key, o.lane, o.capacity, o.period,
  exists (select 1 from opwright.outcomes e where e.operation = o.id) as ended
from opwright.operations o where o.id = :operation

-- name: unended_retry
-- A retry of an operation that has not ended.
select o.id from opwright.operations o
where o.retry_of = :operation and (select 1 from opwright.outcomes e where e.operation = o.id) is null limit 1

-- name: children
-- What was submitted while an operation ran.
select id, trigger from opwright.operations where parent = :operation order by id

-- name: predecessors
-- What an operation follows.
select p.predecessor as id, o.trigger from opwright.predecessors p left join opwright.operations o on o.id = p.predecessor
where p.operation = :operation order by p.predecessor

-- name: remarked
-- The lines of a kind and a text in an operation's log.
select id from opwright.operationstatus where operation = :operation and kind = :kind and text = :text
