"""Alembic's entry: upgrades the connection it was given, inside that connection's transaction."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table="cloud_version")
context.run_migrations()
