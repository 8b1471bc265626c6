"""The least that a durable queue with history and fenced claims has to store, for floors to be measured on."""

from typing import Any

import asyncpg

POSTGRESQL = """
create table operations (id bigint primary key, created bigint not null, trigger text not null, queue text not null, inputs json);
create table ready (queue text, rank smallint, operation bigint, primary key (queue, rank, operation));
create table claimed (operation bigint primary key, token bigint not null, host integer not null);
create table outcomes (operation bigint primary key, ended bigint not null, host integer not null, status smallint not null);
create table business (id bigint generated always as identity primary key, text text not null);
"""
SQLITE = """
create table operations (
  id integer primary key, created integer not null, "trigger" text not null, queue text not null, inputs text) strict;
create table ready (queue text, rank integer, operation integer, primary key (queue, rank, operation)) strict, without rowid;
create table claimed (operation integer primary key, token integer not null, host integer not null) strict;
create table outcomes (
  operation integer primary key, ended integer not null, host integer not null, status integer not null) strict;
"""
FILL = """
with made as (
  insert into operations select n, 1, 'nothing', 'default', '{"number": 1}' from generate_series(1, $1::bigint) n returning id)
insert into ready select 'default', 0, id from made
"""
SUBMIT = """
with made as (insert into operations values ($1, 1, 'nothing', 'default', '{"number": 1}') returning id)
insert into ready select 'default', 0, id from made
"""
CLAIM = """
with picked as materialized (
  delete from ready where ctid = any (array(
    select ctid from ready where queue = 'default' order by rank, operation limit $1 for update skip locked))
  returning operation),
held as (insert into claimed select operation, $2, 1 from picked)
select id, trigger, inputs from operations where id = any (array(select operation from picked))
"""
FINISH = """
with gone as (delete from claimed where operation = any ($1::bigint[]) and token = $2 returning operation)
insert into outcomes select operation, 1, 1, 1 from gone
"""


async def connect(url: str, *, flush: bool = True) -> Any:
    """A connection whose plans go by the indexes, also while the tables are young."""
    settings = {"enable_seqscan": "off", "jit": "off", "synchronous_commit": "on" if flush else "off"}
    return await asyncpg.connect(url, server_settings=settings)
