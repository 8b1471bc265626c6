-- name: renew
-- Renew the lease; judge others only when asked to (`judge`), and if ours was last renewed `within` so many microseconds: what froze
-- the server, or kept this statement on its way, may have kept theirs too. No `me`: this host has been taken over, or
-- its row is another's, who was given the same id after commits were lost.
with me as (
  update opwright.hosts set renewed = {now}, workers = {json::workers}
  where id = :host and name = :name and started = :started and state = 1 returning id),
lapsed as (
  update opwright.hosts set state = 2
  where cast(:judge as boolean) and state = 1 and id <> :host and renewed + lease < {now}
    and (cast(:within as bigint) is null
      or (select renewed from opwright.hosts where id = :host) + cast(:within as bigint) >= {now}) returning id)
select (select count(*) from me) as renewed,
  (select count(*) from opwright.hosts h where state = 2
    or (state = 3 and exists (select 1 from opwright.claimed c where c.host = h.id))) + (select count(*) from lapsed) as dead,
  (select count(*) from opwright.hosts where state = 1 and id <> :host) - (select count(*) from lapsed) as others
