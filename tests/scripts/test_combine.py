"""The combination of one bin: quality flags are those of the epochs, in whatever order the analysis has them."""

from dataclasses import replace

import combine
import numpy as np
from make_batch import make_batch

from vo_lib import hdf5, paths
from vo_lib.reduction.reduced import write_lightcurves


def _write_reduced(obs, seed):
    """Reduced file of a survey with two sources; gives the lightcurves."""
    batch = make_batch([3, 5], seed=seed)
    batch = replace(batch, table=batch.table | {"obs": np.full(2, obs), "n_epochs": batch.counts})
    with hdf5.Writer(paths.reduced_file("X", obs, "RA010")) as writer:
        writer.write_table("index", write_lightcurves(writer, batch), mapped=True)
        writer.write_json("metadata", {"provenance": obs})
    return batch


def test_flags_are_those_of_their_lightcurves_where_the_analysis_took_blocks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    batches = [_write_reduced(obs, seed) for seed, obs in enumerate(("A", "B"))]
    # Both surveys of the first source, then those of the second one; all epochs of the second lightcurve are bad.
    order = [(batch.table, source) for source in (0, 1) for batch in batches]
    with hdf5.Writer(paths.analysis_file("X", "RA010")) as writer:
        columns = {"obs": "obs", "lightcurve": "key"}
        series = {name: np.array([table[key][source] for table, source in order]) for name, key in columns.items()}
        writer.write_table("series", series)
        writer.write_table("flagged", {"series": np.ones(3, int), "epoch": np.arange(3), "qflag": np.full(3, 8)})
        writer.write_json("metadata", {"provenance": "analysis"})
    provenance = {"id": "combined", "parameters": {"by": "band"}, "code": ""}
    params = {"bin": "RA010", "provenance": provenance, "observatories": {"A": "A", "B": "B"}, "analysis": "analysis"}
    combine.main("X", "combined.h5", params=params)
    with hdf5.open_file("combined.h5") as file:
        rows = np.concatenate(hdf5.read_rows(file, hdf5.read_table(file, "index")["key"].tolist()))
    np.testing.assert_array_equal(np.sort(rows["ra"][rows["qflag"] != 0]), np.sort(batches[1].lightcurve(0)["ra"]))
