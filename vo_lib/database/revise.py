"""Write a revision that migrates the tables from the newest revision to the current models.

    python -m vo_lib.database.revise "columns of the matched filter"

Run it after changing the models. The differences that alembic finds go into a new module of ``migrations/versions``,
with the views as they are now. Review the module before you commit it: a renamed column looks like one dropped and one
added, and you must add how to migrate existing rows.
"""

import subprocess
import sys
import tempfile

import sqlalchemy as sa

from vo_lib.database.models import Base
from vo_lib.database.schema import MIGRATIONS, frozen_views, known_revisions, upgrade
from vo_lib.database.server import connect_url
from vo_lib.database.session import make_engine
from vo_lib.database.views import VIEWS
from vo_lib.files import write_text

__all__ = ["write_revision"]

# Values of existing rows in a new column, until the next sync reads their products again.
FILLERS = {sa.Text: "''", sa.BigInteger: "0", sa.Boolean: "false", sa.JSON: "'{}'"}

MODULE = '''"""{message}."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

__all__ = ["upgrade"]

revision = {revision!r}
down_revision = {down_revision!r}

VIEWS = {{{views}}}


def upgrade():
    """{message}."""
    {code}
'''


def write_revision(engine, message):
    """Write the module of a new revision.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        An empty database, or one at the newest revision.
    message : str
        Description of the change, which becomes the docstring of the module.

    Returns
    -------
    Path or None
        Path of the module; None if the newest revision matches the models.
    """
    from alembic import autogenerate
    from alembic.migration import MigrationContext

    revisions, old_views = known_revisions(), frozen_views()
    if revisions:
        upgrade(engine)
    with engine.connect() as connection:
        found = autogenerate.produce_migrations(MigrationContext.configure(connection), Base.metadata).upgrade_ops
        checks = _changed_checks(connection)
        if found.is_empty() and not checks and old_views == VIEWS:
            return None
        code = autogenerate.render_python_code(_filled(found)).replace("astext_type=Text()", "")
    lines = [
        *(f'op.execute("DROP VIEW {view}")' for view in old_views),
        *(line for line in code.splitlines() if not line.strip().startswith("# ###")),
        *(f"op.execute({line!r})" for line in checks),
        *(f'op.execute(VIEWS["{view}"])' for view in VIEWS),
    ]
    number = f"{len(revisions) + 1:04d}"
    path = MIGRATIONS / "versions" / f"{number}_{message.lower().replace(' ', '_')}.py"
    text = MODULE.format(
        message=message[0].upper() + message[1:],
        revision=number,
        down_revision=revisions[-1] if revisions else None,
        views="".join(f'"{name}": """{view}""",' for name, view in VIEWS.items()),
        code="\n    ".join(line.removeprefix("    ") for line in lines),
    )
    write_text(path, text)
    return path


def _filled(operations):
    """Give new columns that must not be NULL a value for the existing rows."""
    from alembic.operations import ops

    for table in operations.ops:
        for index, operation in reversed(list(enumerate(getattr(table, "ops", ())))):
            column = getattr(operation, "column", None)
            if not isinstance(operation, ops.AddColumnOp) or column.nullable or column.server_default is not None:
                continue
            filler = next(text for kind, text in FILLERS.items() if isinstance(column.type, kind))
            column.server_default = sa.DefaultClause(sa.text(filler))
            settled = ops.AlterColumnOp(
                table.table_name,
                column.name,
                existing_type=column.type,
                existing_nullable=False,
                modify_server_default=None,
            )
            table.ops.insert(index + 1, settled)
    return operations


def _changed_checks(connection):
    """Return statements for changed CHECK constraints, which alembic does not compare; roll the connection back."""
    found = _checks(connection, "public")
    connection.execute(sa.schema.CreateSchema("models"))
    Base.metadata.create_all(connection.execution_options(schema_translate_map={None: "models"}))
    wanted = _checks(connection, "models")
    connection.rollback()
    gone = [f"ALTER TABLE {table} DROP CONSTRAINT {name}" for table, name, _ in sorted(found - wanted)]
    return gone + [f"ALTER TABLE {table} ADD CONSTRAINT {name} {text}" for table, name, text in sorted(wanted - found)]


def _checks(connection, schema):
    """Return table, name and definition of all CHECK constraints of a schema."""
    query = """
        SELECT relname, conname, pg_get_constraintdef(c.oid) FROM pg_constraint c JOIN pg_class t ON t.oid = conrelid
        WHERE contype = 'c' AND c.connamespace = CAST(:schema AS regnamespace)
    """
    return {tuple(row) for row in connection.execute(sa.text(query), {"schema": schema})}


def main(message):
    """Write a revision, with the help of a temporary server, and format it."""
    with tempfile.TemporaryDirectory() as folder, connect_url(data_root=folder) as url:
        engine = make_engine(url)
        path = write_revision(engine, message)
        engine.dispose()
    if path is None:
        print("the newest revision matches the models")
        return
    for command in (["check", "--quiet", "--fix", "--select=F401,I001"], ["format", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *command, path], check=True)  # noqa: S603 - our own file
    print(path)


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
