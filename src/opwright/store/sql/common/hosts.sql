-- name: register_host
-- A new host, alive from now on.
insert into opwright.hosts (name, pid, version, state, started, renewed, lease, queues, triggers)
values (:name, :pid, :version, 1, {now}, {now}, :lease, {json::queues}, {json::triggers}) returning id, started

-- name: hosts
-- Every host that is alive or dead and not forgotten, with the age of its last renewal in microseconds.
select id, name, pid, version, state, started, renewed, lease, queues, triggers, workers, {now} - renewed as age
from opwright.hosts order by id

-- name: stop_host
-- A host says good-bye. What it still holds is taken over like a dead host's, so it holds nothing by then.
update opwright.hosts set state = case when exists (select 1 from opwright.claimed where host = :host) then 2 else 3 end
where id = :host and name = :name and started = :started and state = 1

-- name: forget_hosts
-- Hosts that stopped or died so long ago that no claim of theirs can still arrive.
delete from opwright.hosts where state <> 1 and renewed < {now} - :age
  and not exists (select 1 from opwright.claimed c where c.host = opwright.hosts.id)
