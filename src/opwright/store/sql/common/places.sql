-- name: overlooked
-- A window of what is followed; `over` tells of which the end, or that it never came to be, has not been noticed.
select p.predecessor, p.operation, (
  (select 1 from opwright.outcomes e where e.operation = p.predecessor) is not null
  or (p.predecessor < :lost and (select 1 from opwright.operations o where o.id = p.predecessor) is null)) as over
from opwright.predecessors p
where p.state < 2 and (p.predecessor, p.operation) > (:predecessor, :operation) order by p.predecessor, p.operation limit :limit
