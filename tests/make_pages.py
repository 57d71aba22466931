"""A small project on disk with all that pages of sources are made from."""

import threading
from contextlib import contextmanager

import numpy as np
from make_project import BINS, CATALOG, N_EPOCHS, NASTY, make_project, make_workspace

from vo_lib import hdf5, paths
from vo_lib.pages.vetting import read_ranking, write_pages
from vo_lib.periods.periodic import search_periods
from vo_lib.plan import read_plan
from vo_lib.serve import PageServer

OPTIONS = {"observatories": ["DEMO"], "periods": None, "max_pages": 200}
RANGES = {"ranges": ["1-20 d"], "oversampling": 5, "max_frequencies": 100_000}


def make_source_products(folder):
    """Write the products of the project DEMO of `make_project`, whole enough for pages of sources."""
    make_project(folder)
    for name in BINS:
        _complete(folder / paths.reduced_file("DEMO", "DEMO", name), _add_index)
        _complete(folder / paths.analysis_file("DEMO", name), _add_periods)


def _complete(path, add):
    """Add to a file what it lacks, and what made it."""
    with hdf5.Writer(path, base=path) as file:
        add(file, hdf5.open_file(path))
        file.write_json("metadata", {"provenance": f"made {path.stem}", "code": "0123"})


def _add_index(file, read):
    """Index of the lightcurves."""
    keys = [key for key in read if "_reduction_" in key]
    names = [paths.decode_key(key.partition("_reduction_")[0]) for key in keys]
    texts = {"key": keys, "source": names, "obs": ["DEMO"] * len(keys), "filter": ["demo-g"] * len(keys)}
    texts["series"] = ["7"] * len(keys)
    counts = {"n_epochs": np.full(len(keys), N_EPOCHS), "n_good": np.full(len(keys), N_EPOCHS - 1)}
    file.write_table("index", {name: np.array(values, dtype=str) for name, values in texts.items()} | counts)


def _add_periods(file, _):
    """Table of periods, without any."""
    file.write_table("periods", search_periods(None, None))


def make_pages(monkeypatch, folder, **changes):
    """Write the pages of the project into its folder; gives the sources with pages."""
    make_source_products(folder)
    monkeypatch.chdir(folder)
    return write_pages("DEMO", *read_ranking("DEMO", BINS), **OPTIONS | changes)


def make_served(folder):
    """Workspace of the project DEMO_ with all that pages are made from, and a report."""
    nasty = '"{}",10,-30\n'.format(NASTY.replace('"', '""'))
    workspace = make_workspace(folder, make_source_products, catalog=CATALOG.replace("calm", f"{nasty}calm"))
    (workspace.data_root / "DEMO_/report.html").write_text("the report")
    return workspace


@contextmanager
def serving(workspace, **options):
    """Server of the pages of a workspace."""
    with PageServer(read_plan(workspace.config_file), **options) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
