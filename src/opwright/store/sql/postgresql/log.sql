-- name: log
-- One committed command.
insert into opwright.operation_log (id, logged_at, origin, command, inputs, items, nested)
values (:id, :logged_at, :origin, :command, cast(:inputs as json), cast(:items as json), cast(:nested as json))

-- name: notify_log
-- Tell who reads the log that there is more of it, and whose. A hint as `notify` is one.
select pg_notify(:channel, :message), set_config('synchronous_commit', 'off', true)

-- name: log_end
-- What the next reading begins at: a snapshot, and what tells this database from another one.
select cast(pg_current_snapshot() as text) as seen, cast(pg_snapshot_xmax(pg_current_snapshot()) as text) as newest,
  concat_ws('/', (select system_identifier from pg_control_system()), (select timeline_id from pg_control_checkpoint()),
    (select oid from pg_database where datname = current_database()),
    cast(cast('opwright.operation_log' as regclass) as oid)) as identity

-- name: log_between
-- Entries that one snapshot sees and an earlier one did not, in the order of their positions. (Two selects, for an `or` would read
-- the whole table.)
select position, id, logged_at, origin, command, inputs, items, nested from (
  select * from opwright.operation_log where xid >= pg_snapshot_xmax(cast(cast(:after as text) as pg_snapshot))
  union all
  select * from opwright.operation_log where xid = any (array(select pg_snapshot_xip(cast(cast(:after as text) as pg_snapshot))))) fresh
where position > :position and origin is not null and pg_visible_in_snapshot(xid, cast(cast(:until as text) as pg_snapshot))
order by position limit :limit

-- name: log_trim
-- Delete what is old, in the order of positions. What an open transaction may still hold back from a reader stays: `horizon` is
-- the oldest transaction that was open when the log was trimmed before.
with old as (
  delete from opwright.operation_log where position = any (array(
    select position from opwright.operation_log where logged_at < :before and xid < cast(cast(:horizon as text) as xid8)
    order by position limit :limit for update skip locked))
  returning 1)
select count(*) as trimmed, cast(pg_snapshot_xmin(pg_current_snapshot()) as text) as horizon from old
