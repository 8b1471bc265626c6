"""What every engine must keep: each promise is tested on SQLite and on PostgreSQL with the same words."""
