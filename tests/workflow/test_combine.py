"""Combined lightcurves in the workflow: made where they are asked for, and again for what they depend on alone."""

import h5py
import numpy as np


def test_combined_lightcurves_are_made_when_they_are_asked_for(workspace):
    workspace.set("reduce.gap_days", 20).set("combine.by", "filter")
    run = workspace.run("DEMO_PROJECT/RA010_combined.h5")
    assert run.status == 0, run.output
    assert run.jobs == {"download": 1, "reduce": 1, "analyze": 1, "combine": 1}
    with h5py.File(workspace.product("RA010_combined.h5")) as combined:
        index, offsets = combined["index"][:], combined["offsets"][:]
        qflag = np.concatenate([combined[key.decode()]["qflag"] for key in index["key"]])
    with h5py.File(workspace.product("DEMO_photometry_RA010_reduced.h5")) as reduced:
        assert reduced["index"]["n_epochs"].sum() == index["n_epochs"].sum() == offsets["n_epochs"].sum()
        assert len(reduced["index"]) > len(index)
    with h5py.File(workspace.product("RA010_analysis.h5")) as analysis:
        assert np.count_nonzero(qflag) == len(analysis["flagged"])
        assert qflag.sum() == analysis["flagged"]["qflag"].sum()
    assert index["key"][0].startswith(b"a_combined_01_of_0")
    jobs = workspace.set("combine.cell_days", 2).plan().jobs
    assert jobs["combine"] == 2
    assert jobs["analyze"] == 1
