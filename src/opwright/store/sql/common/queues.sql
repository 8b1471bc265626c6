-- name: pause_queue
-- Nothing more of a queue is claimed; what has been claimed goes on. The pause is a row, so it outlives every host.
insert into opwright.queues (name, paused) values (:queue, {now})
on conflict (name) do update set paused = coalesce(opwright.queues.paused, excluded.paused)

-- name: resume_queue
-- A queue is claimed from again.
delete from opwright.queues where name = :queue

-- name: queue_standings
-- Each queue that holds something, or is known: what is ready, due later, limited, behind others, running, and since when paused.
select q.name,
  (select count(*) from opwright.ready r where r.queue = q.name) as ready,
  (select count(*) from opwright.delayed d where d.queue = q.name) as delayed,
  (select count(*) from opwright.limited l where l.queue = q.name) as limited,
  (select count(*) from opwright.following f where f.queue = q.name) as following,
  (select count(*) from opwright.claimed c join opwright.operations o on o.id = c.operation
    where o.queue = q.name and not c.ahead) as running,
  (select p.paused from opwright.queues p where p.name = q.name) as paused
from (
  select name from opwright.queues
  union select queue from opwright.ready union select queue from opwright.delayed
  union select queue from opwright.limited union select queue from opwright.following
  union select o.queue from opwright.claimed c join opwright.operations o on o.id = c.operation) q
order by q.name
