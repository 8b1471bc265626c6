"""Settings: what each means, and where its value comes from.

table      every setting, declared once
layers     the places where a value may stand: arguments, variables, a seed's own variables
file       one more: a table of TOML
resolve    the layers put together
"""

from opwright.settings.resolve import Found, look_up, resolve
from opwright.settings.table import MOST_SLOTS, TABLE, Database, Overrides, Setting, Settings

__all__ = ["MOST_SLOTS", "TABLE", "Database", "Found", "Overrides", "Setting", "Settings", "look_up", "resolve"]
