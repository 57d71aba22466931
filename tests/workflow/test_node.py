"""Jobs on a node of a cluster, started there as executors do it."""

import socket
import tempfile
from pathlib import Path

import pytest
from workspace import Workspace

ON_A_NODE = ["--mode", "remote", "--force", "--nolock", "--no-hooks", "--target-files-omit-workdir-adjustment"]


def test_the_worker_of_another_host_is_not_asked(tmp_path):
    workspace = Workspace(tmp_path).set("catalog.file", "catalogs/demo.csv").set("select.bins", ["RA045"])
    assert workspace.run("downloaded").status == 0
    jobs = ["reduce:project=DEMO_PROJECT,obs=DEMO,bin=RA045", "analyze:project=DEMO_PROJECT,bin=RA045"]
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as other:
        other.bind(address := str(Path(short, "worker")))
        other.listen()
        other.setblocking(False)
        done = workspace.run(*ON_A_NODE, "--target-jobs", *jobs, environment={"VO_WORKER": address})
        assert done.status == 0, done.output
        with pytest.raises(BlockingIOError):
            other.accept()
    assert workspace.product("RA045_analysis.h5").exists()
