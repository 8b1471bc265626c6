-- name: sweepable
-- Of these operations, those that have ended and whose record nobody needs any more, with what the log is to say of them. It is needed by
-- what follows them until that has ended, and by their hand-back until that has succeeded, or is itself no longer there to be retried.
select o.id, o.trigger, e.status, o.created, e.ended, substr(e.error, 1, 500) as error
from json_each(:operations) g join opwright.operations o on o.id = g.value join opwright.outcomes e on e.operation = o.id
where true
  and not exists (
    select 1 from opwright.predecessors p join opwright.operations f on f.id = p.operation
    where p.predecessor = o.id and not exists (select 1 from opwright.outcomes x where x.operation = p.operation))
  and (o.submitter is null or (
    select 1 from opwright.operations c where c.parent = o.id and c.trigger = o.submitter || '.hand_back'
      and coalesce((select x.status from opwright.outcomes x where x.operation = c.id), 2) = 2 limit 1) is null)
order by o.id

-- name: sweep
-- All that there is of these operations.
delete from opwright.outcomes where operation in (select value from json_each(:operations));
delete from opwright.operationstatus where operation in (select value from json_each(:operations));
delete from opwright.predecessors where operation in (select value from json_each(:operations));
delete from opwright.waits where operation in (select value from json_each(:operations));
delete from opwright.cancel_requests where operation in (select value from json_each(:operations));
delete from opwright.operation_keys where operation in (select value from json_each(:operations));
delete from opwright.operations where id in (select value from json_each(:operations))
