-- name: bury
-- A tombstone. On PostgreSQL it waits for whoever is writing under this id, so that the answer is final. No row: there is one.
insert into opwright.operation_log (id, logged_at) values (:id, {now}) on conflict (id) do nothing returning position

-- name: buried
-- Whether a tombstone stands under this id.
select origin is null as buried from opwright.operation_log where id = :id

-- name: exhume
-- Take the tombstone of an earlier attempt away. What it was to keep out waits for us now, and finds our entry.
delete from opwright.operation_log where id = :id and origin is null
