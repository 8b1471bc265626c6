"""Running a plan on a connection of the application, inside its transaction.

One file for each library; a connection is recognised by the name of its type, so nothing is imported that the application does
not use itself. Opwright never commits and never rolls back what is the caller's.
"""

from opwright.store.foreign.connection import Foreign
from opwright.store.foreign.recognise import recognise

__all__ = ["Foreign", "recognise"]
