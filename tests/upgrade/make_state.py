"""Keep what a version of the project writes, for the tests of upgrades.

    python tests/upgrade/make_state.py NAME [--root CHECKOUT]

makes ``tests/upgrade/NAME.tar.xz`` with a small project as the code of a checkout makes it: archive, manifest, reduced
file, analysis, histograms, tables, receipt, snapshot of the catalog, Snakemake's notes and a backup of the database.
``formats.json`` has the numbers of the formats. Pages and figures are left out, for they are made again from these.
"""

import argparse
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from servers.irsa import IrsaServer, synthetic_answer  # noqa: E402
from workspace import Workspace  # noqa: E402

__all__ = ["FORMATS", "answers", "make_workspace", "run_python"]

# What prints the numbers of the formats of a version.
FORMATS = """
import json
from vo_lib import raw
from vo_lib.catalogs import snapshot
from vo_lib.downloads import manifest
from vo_lib.reduction import reduced
from vo_lib.database.schema import newest_revision
numbers = {"raw": raw.SCHEMA, "manifest": manifest.SCHEMA, "reduced": reduced.SCHEMA, "snapshot": snapshot.FORMAT}
print(json.dumps(numbers | {"database": newest_revision()}))
"""
LEFT_OUT = ("database", "pages", "plots", "logs", "report.html", "report_tables.js", "runs.lock")


def make_workspace(folder, root=ROOT):
    """Workspace of the small project, of which two sources have data and one has none."""
    made = Workspace(folder, config="config/ztf_white_dwarfs.yaml", root=root)
    made.set("project", "old").set("simulator.kinds", ["flare"]).set("finder.methods", ["peak"])
    for axis, setting in (("snr_range", [-20, 20, 5]), ("offset_range", [0, 10, 5]), ("mag_range", [13, 22, 3])):
        made.set(f"histograms.{axis}", setting)
    return made


def answers():
    """An archive with the epochs of two sources."""
    texts = [synthetic_answer(ra, seed=number, objects=(("zg", 12), ("zr", 9))) for number, ra in enumerate((0.1, 0.2))]
    return IrsaServer(texts[0] + texts[1].partition("\n")[2])


def main():
    """Run the small project and pack its products."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", help="name of the state")
    parser.add_argument("--root", type=Path, default=ROOT, help="checkout of the version (this one)")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    with tempfile.TemporaryDirectory() as folder, answers() as server:
        made = make_workspace(folder, root)
        for name, address in server.parameters.items():
            made.set(f"observatories.ztf.{name}", address)
        made.catalog.write_text("name,ra,dec\na,0.1,51.3937\nb,0.2,51.3937\nnothing,0.3,-20\n")
        run = made.run()
        if run.status:
            sys.exit(run.output)
        file = ["--configfile", made.config_file]
        run_python(root, "-m", "vo_lib", "db", "shell", "--command", "UPDATE runs SET host = 'host'", *file)
        run_python(root, "-m", "vo_lib", "db", "backup", made.data_root / "database.dump", *file)
        formats = run_python(root, "-c", FORMATS)
        (made.data_root / "formats.json").write_text(formats)
        target = Path(__file__).with_name(f"{arguments.name}.tar.xz")
        with tarfile.open(target, "w:xz", preset=9) as archive:
            archive.add(made.data_root, ".", filter=_wanted)
    sys.stdout.write(f"{target}: {target.stat().st_size} bytes, {formats}")


def run_python(root, *arguments):
    """Output of the Python of a version of the code."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout


def _wanted(member):
    """A file of the data root, if it is wanted, as nobody's."""
    if any(part in LEFT_OUT for part in Path(member.name).parts):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    main()
