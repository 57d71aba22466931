"""Entry point of alembic: run the migrations in the transaction of the given connection."""

from alembic import context

from vo_lib.database.models import Base

__all__ = []

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
