"""Runs migrations on the connection, and in the transaction, that the caller opened."""

from __future__ import annotations

from alembic import context

from appliance.store.engine import complete_metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=complete_metadata(),
    render_as_batch=True,
    transactional_ddl=False,
)
context.run_migrations()
