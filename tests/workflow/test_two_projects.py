"""Two projects on one data root: raw data are fetched once, and neither harms the other."""

import fcntl
import os
import signal
import time
from collections import Counter

import pytest
from servers.alerce import AlerceServer, synthetic_detections
from workspace import Workspace

from vo_lib.paths import pace_file
from vo_lib.raw import read_index

NAMES = [f"star{number:02d}" for number in range(24)]
PLACES = {name: (150.0 + 0.1 * number, 2.0) for number, name in enumerate(NAMES)}
OBJECTS = {f"ZTF18{name[4:]}": (*place, synthetic_detections(*place)) for name, place in PLACES.items()}


def project(folder, name, names, server, data_root=None):
    """A project on some of the stars."""
    folder.mkdir()
    made = Workspace(folder)
    made.catalog.write_text(
        "name,ra,dec\n" + "".join(f"{star},{PLACES[star][0]},{PLACES[star][1]}\n" for star in names)
    )
    made.set("project", name)
    made.config["observatories"] = {"alerce": {"class": "extensions.alerce:VirtualALeRCE", "url": server.address}}
    if data_root:
        made.data_root = data_root
        made.set("data_root", str(data_root))
    return made


def asked(server):
    """How often each place was asked for."""
    return Counter(path for path in server.requests if "/lightcurve" not in path)


@pytest.fixture
def server():
    with AlerceServer(OBJECTS, latency_s=0.05) as archive:
        yield archive


def test_projects_that_run_at_once_ask_for_each_source_once_and_keep_one_pace(tmp_path, server):
    one = project(tmp_path / "one", "one", NAMES[:16], server)
    two = project(tmp_path / "two", "two", NAMES[8:], server, one.data_root)
    for made in (one, two):
        made.set("download.per_second", 20)
    pace = one.data_root / pace_file("alerce")
    pace.parent.mkdir(parents=True)
    # Their first turns are after this one, whenever they begin.
    with open(pace, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        runs = [one.start(), two.start()]
        while not all(list(made.product("logs/download").glob("*.log")) for made in (one, two)):
            assert [run.poll() for run in runs] == [None, None]
            time.sleep(0.01)
        begin = time.monotonic()
    outputs = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], "\n".join(outputs)
    assert len(asked(server)) == len(NAMES)
    assert set(asked(server).values()) == {1}
    # A request comes after its turn: however slow the machine is, none comes before its time.
    assert all(at - begin >= turn / 20 for turn, at in enumerate(sorted(server.times)))
    assert one.plan().idle
    assert two.plan().idle


def test_a_killed_project_leaves_the_other_whole_and_goes_on(tmp_path, server):
    one = project(tmp_path / "one", "one", NAMES[:8], server)
    two = project(tmp_path / "two", "two", NAMES, server, one.data_root)
    assert one.run().status == 0
    archives = [one.data_root / "ALERCE" / f"ALERCE_photometry_RA{ra}.h5" for ra in (150, 151, 152)]
    before = read_index(archives[0])
    two.set("download.threads", 1)
    run, first = two.start("downloaded"), len(server.requests)
    while len(server.requests) < first + 12:
        assert run.poll() is None
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    assert read_index(archives[0]).items() >= before.items()
    assert one.plan("--nolock").idle
    assert two.run("--unlock").status == 0
    assert two.run("downloaded").status == 0
    assert sum(len(read_index(path)) for path in archives) == len(NAMES)
    # Each of the two jobs had one source under way.
    assert sum(asked(server).values()) <= len(NAMES) + 2
    assert one.plan().idle
