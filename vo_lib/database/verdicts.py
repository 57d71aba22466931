"""Rows of the verdicts of persons, as the file of record of a project has them."""

from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from vo_lib.database.models import Verdict
from vo_lib.paths import verdicts_file
from vo_lib.verdicts import parse_detection, read_verdicts

__all__ = ["put_verdicts"]

KEYS = ("project_id", "source_name", "detection", "who")


def put_verdicts(connection, project_id, data_root, folder):
    """Bring the verdicts of a project in step with its file of record.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    project_id : int
        Number of the project.
    data_root, folder : str or Path
        The data root, and the folder of the project below it.

    Returns
    -------
    int
        Verdicts that are there now; 0 without a file.
    """
    path = Path(data_root) / verdicts_file(folder)
    rows = [_row(project_id, row) for row in read_verdicts(path, project=str(folder))] if path.exists() else []
    for row in rows:
        statement = insert(Verdict).values(row)
        changed = {name: value for name, value in row.items() if name not in KEYS}
        connection.execute(statement.on_conflict_do_update(index_elements=KEYS, set_=changed))
    kept = [tuple(row[name] for name in KEYS) for row in rows]
    key = sa.tuple_(*(getattr(Verdict, name) for name in KEYS))
    connection.execute(sa.delete(Verdict).where(Verdict.project_id == project_id, key.not_in(kept)))
    return len(rows)


def _row(project_id, row):
    """Row of the table from one of the file."""
    no_peak = {"obs": "", "filter": "", "series": "", "peak_mjd": None}
    place = parse_detection(row["detection"]) if row["detection"] else no_peak
    found = {name: row[name] for name in ("detection", "verdict", "note", "who")}
    time = datetime.fromisoformat(row["when"])
    return found | place | {"project_id": project_id, "source_name": row["source"], "decided_at": time}
