-- When each sweep last ran, on whatever host, and how far it has come.

create table opwright.sweeps (
  name text collate "C" primary key,
  ran bigint not null,
  front bigint not null,    -- every operation up to this id has been looked at once
  behind bigint not null    -- and up to this one once more, in the round that is going on
);
