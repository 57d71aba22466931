"""Mirror the verdicts in the file of record of a project."""

from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from vo_lib.database.models import Project, Verdict
from vo_lib.database.views import VERDICT_ON_DETECTION
from vo_lib.paths import verdicts_file
from vo_lib.verdicts import merge_verdicts, parse_detection, read_verdicts

__all__ = ["count_astray", "put_verdicts"]

ASTRAY = f"""
SELECT count(*) FROM verdicts v WHERE v.project_id = :project_id AND v.detection != '' AND NOT EXISTS (
    SELECT FROM detections d JOIN sources s ON s.id = d.source_id WHERE NOT d.simulated AND {VERDICT_ON_DETECTION})
"""  # noqa: S608 - both texts are ours


def put_verdicts(connection, project_id, data_root, folder):
    """Update the verdicts of a project to match its file of record.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    project_id : int
        Id of the project.
    data_root, folder : str or Path
        The data root, and the folder of the project below it.

    Returns
    -------
    int
        Number of verdicts now; 0 without a file.
    """
    # If two run at once, the second waits, and reads the file afterwards.
    connection.execute(sa.select(Project.id).where(Project.id == project_id).with_for_update(key_share=True))
    path = Path(data_root) / verdicts_file(folder)
    known = read_verdicts(path, project=str(folder)) if path.exists() else []
    rows = [_row(project_id, row) for row in merge_verdicts([], known)]  # the file may have been edited by hand
    connection.execute(sa.delete(Verdict).where(Verdict.project_id == project_id))
    if rows:
        connection.execute(sa.insert(Verdict), rows)
    return len(rows)


def count_astray(connection, project_id):
    """Count the verdicts of a project on detections that the database does not have."""
    return connection.scalar(sa.text(ASTRAY), {"project_id": project_id})


def _row(project_id, row):
    """Convert a row of the file to one of the table."""
    no_peak = {"obs": "", "filter": "", "series": "", "peak_mjd": None}
    place = parse_detection(row["detection"]) if row["detection"] else no_peak
    found = {name: row[name] for name in ("detection", "verdict", "note", "who")}
    time = datetime.fromisoformat(row["when"])
    return found | place | {"project_id": project_id, "source_name": row["source"], "decided_at": time}
