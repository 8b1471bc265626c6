-- When each sweep last ran, on whatever host, and how far it has come.

create table opwright.sweeps (
  name text primary key,
  ran integer not null,
  front integer not null,    -- every operation up to this id has been looked at once
  behind integer not null    -- and up to this one once more, in the round that is going on
) strict, without rowid;
