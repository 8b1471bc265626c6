-- name: sweepable
-- Of these operations, those that have ended and whose record nobody needs any more, with what the log is to say of them. It is needed by
-- what follows them until that has ended, and by their hand-back until that has succeeded, or is itself no longer there to be retried.
-- Who holds one of these rows (a retry, another sweep) keeps it for now. Scalar sub-selects are not hashed: `not exists` would read
-- every hand-back that there is.
select o.id, o.trigger, e.status, o.created, e.ended, substr(e.error, 1, 500) as error
from opwright.operations o cross join lateral (
  select x.status, x.ended, x.error from opwright.outcomes x where x.operation = o.id offset 0) e
where o.id = any (cast(:operations as bigint[]))
  and not exists (
    select 1 from opwright.predecessors p join opwright.operations f on f.id = p.operation
    where p.predecessor = o.id and not exists (select 1 from opwright.outcomes x where x.operation = p.operation))
  and (o.submitter is null or (
    select 1 from opwright.operations c where c.parent = o.id and c.trigger = o.submitter || '.hand_back'
      and coalesce((select x.status from opwright.outcomes x where x.operation = c.id), 2) = 2 limit 1) is null)
order by o.id for update of o skip locked

-- name: sweep
-- All that there is of these operations.
with ended as (delete from opwright.outcomes where operation = any (cast(:operations as bigint[]))),
said as (delete from opwright.operationstatus where operation = any (cast(:operations as bigint[]))),
followed as (delete from opwright.predecessors where operation = any (cast(:operations as bigint[]))),
waited as (delete from opwright.waits where operation = any (cast(:operations as bigint[]))),
asked as (delete from opwright.cancel_requests where operation = any (cast(:operations as bigint[]))),
held as (delete from opwright.operation_keys where operation = any (cast(:operations as bigint[])))
delete from opwright.operations where id = any (cast(:operations as bigint[]))
