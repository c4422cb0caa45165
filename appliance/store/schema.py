"""Which schemas this program can work in, as two numbers: whoever decides about slots asks for them without loading what opens a database."""

from __future__ import annotations

HEAD = "0023"
# The oldest revision whose program can work in a schema of HEAD. New tables, and columns that are empty or have a default of the
# database's, leave it as it is. What an older program would stumble over raises it to its own revision; such an update has no way back.
FLOOR = "0022"
