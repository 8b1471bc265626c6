"""The application's own tables. None of them has a key, so that what was done twice stands there twice."""

TABLES = (
    # One row per submitted operation, in the transaction that submits it: it is there exactly if that transaction was committed.
    "create table orders (turn text, operation bigint, kind text, customer integer, at timestamptz default clock_timestamp())",
    # Written at the begin of each attempt, on a connection of its own: what ran, whatever became of it.
    "create table traces (operation bigint, kind text, attempt integer, token bigint, at timestamptz default clock_timestamp())",
    # Written in `operation.transaction()`.
    "create table effects (operation bigint, attempt integer, token bigint, at timestamptz default clock_timestamp())",
    "create table children (parent bigint, child bigint)",
    "create table returns (operation bigint, hand_back bigint)",
    # An attempt was told that it is stale.
    "create table refusals (operation bigint, attempt integer, token bigint)",
)
