-- name: claim_sweep
-- This host's turn with a sweep, if the last one of any host lies an interval back. No row: it does not. A last turn that lies ahead
-- by more than an interval was noted before the clock was set back.
insert into opwright.sweeps (name, ran, front, behind) values (:name, {now}, 0, 0)
on conflict (name) do update set ran = excluded.ran
where opwright.sweeps.ran <= excluded.ran - :interval or opwright.sweeps.ran > excluded.ran + :interval
returning name

-- name: sweep_due
-- In how many microseconds a sweep has its next turn.
select ran + :interval - {now} as wait from opwright.sweeps where name = :name

-- name: sweep_place
-- How far a sweep has come, and the time by which it judges.
select {now} as now, coalesce((select front from opwright.sweeps where name = :name), 0) as front,
  coalesce((select behind from opwright.sweeps where name = :name), 0) as behind

-- name: keep_sweep_place
-- How far a sweep has come.
update opwright.sweeps set front = :front, behind = :behind where name = :name

-- name: aged_successes
-- A window of what was submitted between two ids: what succeeded before the cutoff, and the last row of the window, whatever it is.
-- Who ended before the cutoff was submitted before it, and ids are in the order of time: so this walks along the primary key, and
-- reads what is old, never what is there.
select s.operation, s.due from (
  select w.operation, w.status = 1 and w.ended < :cutoff as due, lead(w.operation) over (order by w.operation) is null as last
  from (
    select operation, status, ended from opwright.outcomes
    where operation > :after and operation < :before order by operation limit :limit) w) s
where s.due or s.last order by s.operation

-- name: aged_successes_of_queue
-- The same, where only operations of one queue are due.
select s.operation, s.due from (
  select w.operation, lead(w.operation) over (order by w.operation) is null as last,
    w.status = 1 and w.ended < :cutoff and (select o.queue from opwright.operations o where o.id = w.operation) = :queue as due
  from (
    select operation, status, ended from opwright.outcomes
    where operation > :after and operation < :before order by operation limit :limit) w) s
where s.due or s.last order by s.operation

-- name: aged_unhappy
-- FAILED or CANCELLED before the cutoff, the first to end first: the order of their index.
select ended, operation from opwright.outcomes
where status = :status and status <> 1 and ended < :cutoff and (ended, operation) > (:ended, :operation)
order by ended, operation limit :limit

-- name: count_failed
-- How many have FAILED. (<> 1: SQLite takes a partial index by its own words only.)
select count(*) as failed from opwright.outcomes where status = 2 and status <> 1

-- name: last_surplus
-- The newest of the oldest so many that have FAILED. (+ 0: sorted by hand, or the planner walks the primary key through all that
-- succeeded, for its order.)
select operation from opwright.outcomes where status = 2 and status <> 1 order by operation + 0 limit 1 offset :offset

-- name: failed_window
-- A window of what has FAILED; `due` is what is no newer than a certain operation, or was submitted before the cutoff.
select w.ended, w.operation,
  w.operation <= :surplus or (select o.created from opwright.operations o where o.id = w.operation) < :cutoff as due
from (
  select ended, operation from opwright.outcomes
  where status = 2 and status <> 1 and (ended, operation) > (:ended, :operation) order by ended, operation limit :limit) w
order by w.ended, w.operation
