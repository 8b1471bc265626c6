-- name: log
-- One committed command.
insert into opwright.operation_log (id, logged_at, origin, command, inputs, items, nested)
values (:id, :logged_at, :origin, :command, :inputs, :items, :nested)

-- name: log_end
-- What the next reading begins at: the last position that was ever given. A file has no identity that a copy of it does not have.
select cast(coalesce(max(seq), 0) as text) as seen, cast(coalesce(max(seq), 0) as text) as newest, '' as identity
from sqlite_sequence where name = 'opwright.operation_log'

-- name: log_between
-- Entries between two ends, in the order of their positions.
select position, id, logged_at, origin, command, inputs, items, nested from opwright.operation_log
where position > max(cast(:after as integer), :position) and position <= cast(:until as integer) and origin is not null
order by position limit :limit

-- name: log_trim
-- Delete what is old, in the order of positions. `horizon` is the last position when the log was trimmed before.
delete from opwright.operation_log where position in (
  select position from opwright.operation_log where logged_at < :before and position <= cast(:horizon as integer)
  order by position limit :limit);
select changes() as trimmed, cast(coalesce(max(seq), 0) as text) as horizon from sqlite_sequence
where name = 'opwright.operation_log'
