"""The only folder that knows SQL: engines, named statements, migrations, and one gateway per group of tables."""
