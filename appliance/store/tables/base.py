"""What all tables of a device belong to."""

from __future__ import annotations

from sqlalchemy import MetaData

metadata = MetaData()
