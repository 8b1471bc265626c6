-- name: peek
-- The queues that have something ready (a loose scan of the primary key: one index probe per queue), when something is due or a
-- slot falls free, whether anything asks for a slot or follows others, and now.
with recursive q (queue) as (
  select min(queue) from opwright.ready
  union all
  select (select min(r.queue) from opwright.ready r where r.queue > q.queue) from q where q.queue is not null)
select q.queue, (select min(due) from opwright.delayed) as due, (select min(until) from opwright.slots) as free,
  exists (select 1 from opwright.limited where fresh) as fresh, exists (select 1 from opwright.following) as followers,
  exists (select 1 from opwright.queues p where p.name = q.queue and p.paused is not null) as paused, {now} as now
from q

-- name: ready_after
-- A window of the ready queue from a position on, for the sweep that looks for triggers nobody knows.
select queue, rank, operation, errors, deaths, trigger from opwright.ready
where (queue, rank, operation) > (:queue, :rank, :operation) order by queue, rank, operation limit :limit

-- name: asked
-- Which operations of this host somebody wants cancelled.
select c.operation, c.token from opwright.cancel_requests r
join opwright.claimed c on c.operation = r.operation where c.host = :host

-- name: claims_of
-- Every claim in the name of a host.
select operation, token from opwright.claimed where host = :host

-- name: forget_requests
-- Requests to cancel what has ended by itself.
delete from opwright.cancel_requests where operation in (
  select r.operation from opwright.cancel_requests r join opwright.outcomes e on e.operation = r.operation)
