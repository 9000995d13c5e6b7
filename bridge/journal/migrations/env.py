"""Runs the revisions on the connection it is handed.

Rule: it opens no connection of its own, and all revisions are one transaction.
"""

from alembic import context

from bridge.journal.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite's too, once it is begun by hand
)
with context.begin_transaction():
    context.run_migrations()
