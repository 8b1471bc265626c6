-- name: renew
-- Renew the lease; judge others only when asked to (`judge`), and if ours was last renewed `within` so many microseconds: what kept
-- this statement waiting may have kept theirs too. renewed = 0: this host has been taken over, or its
-- row is another's, who was given the same id after commits were lost.
update opwright.hosts set state = 2
where :judge and state = 1 and id <> :host and renewed + lease < {now}
  and (:within is null or (select renewed from opwright.hosts where id = :host) + :within >= {now});
update opwright.hosts set renewed = {now}, workers = :workers where id = :host and name = :name and started = :started and state = 1;
select (select count(*) from opwright.hosts where id = :host and name = :name and started = :started and state = 1) as renewed,
  (select count(*) from opwright.hosts h where state = 2
    or (state = 3 and exists (select 1 from opwright.claimed c where c.host = h.id))) as dead,
  (select count(*) from opwright.hosts where state = 1 and id <> :host) as others
