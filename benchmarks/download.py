"""Measure the download engine with an ideal local archive: request rate, and CPU time per source.

Run it from the project's folder in the activated environment:

    python benchmarks/download.py [--sources 400] [--latency 0.2] [--connections 8]

A bin with a single source comes first. It bears the fixed cost of a job, such as importing libraries, which is shown
separately; the CPU time per source is that of the bin that follows. The archive is a separate process, which is not
counted.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from servers.flaky import FlakyServer  # noqa: E402

from vo_lib.download import download_bin  # noqa: E402
from vo_lib.observatories.ztf import VirtualZTF  # noqa: E402


def cpu_seconds():
    """Return the CPU time of this process, which excludes the archive [s]."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure(survey, rows, path, connections):
    """Measure the wall time and CPU time of a download [s]."""
    start, cpu = time.perf_counter(), cpu_seconds()
    download_bin(survey, rows, path, parameters={"release": "x"}, threads=connections)
    return time.perf_counter() - start, cpu_seconds() - cpu


def serve(arguments, ready, done):
    """Play the archive in a separate process, and send its URL."""
    with FlakyServer(latency_s=arguments.latency) as server:
        ready.send(server.url)
        done.wait()


def main():
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", type=int, default=400)
    parser.add_argument("--latency", type=float, default=0.2, help="time of each answer [s]")
    parser.add_argument("--connections", type=int, default=8)
    arguments = parser.parse_args()
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    done = context.Event()
    archive = context.Process(target=serve, args=(arguments, theirs, done), daemon=True)
    archive.start()
    rows = [{"name": f"s{index}", "ra": 10 + index / 1e5, "dec": 20.0} for index in range(arguments.sources)]
    survey = VirtualZTF(url=ours.recv(), route="position")
    with tempfile.TemporaryDirectory() as folder:
        _, once = measure(survey, rows[:1], Path(folder) / "first.h5", arguments.connections)
        wall, cpu = measure(survey, rows, Path(folder) / "raw.h5", arguments.connections)
    done.set()
    archive.join()
    rate = arguments.sources / wall
    print(f"{arguments.sources} sources, {arguments.connections} connections, answers after {arguments.latency} s")
    print(f"{rate:.1f} requests/s, {1000 * cpu / arguments.sources:.2f} ms CPU for each source, {once:.2f} s once")
    if arguments.latency:
        ideal = arguments.connections / arguments.latency
        print(f"{rate / ideal:.0%} of the {ideal:.0f} requests/s that the latency allows")


if __name__ == "__main__":
    main()
