"""Lightcurves that the analysis keeps when it is asked to, detrended and with injected events."""

import h5py
import numpy as np

from vo_lib.extract import Wanted, extract
from vo_lib.plan import read_plan

LIGHTCURVES = "DEMO_PROJECT/DEMO_photometry_RA010_processed.h5"


def _stored(workspace, kind):
    """Keys of the lightcurves in a file, and the lightcurves."""
    with h5py.File(workspace.product(f"DEMO_photometry_RA010_{kind}.h5")) as file:
        keys = [key.decode() for key in file["index"]["key"]]
        return keys, [file[key][:] for key in keys]


def test_processed_and_simulated_lightcurves_are_kept_when_they_are_asked_for(workspace):
    workspace.set("detrend.method", "median").set("detrend.window_days", 30)
    workspace.set("save_processed", True).set("save_simulated", True)
    run = workspace.run(LIGHTCURVES)
    assert run.status == 0, run.output
    keys, reduced = _stored(workspace, "reduced")
    names, processed = _stored(workspace, "processed")
    assert names == [key.replace("reduction", "processed") for key in keys]
    for before, after in zip(reduced, processed, strict=True):
        np.testing.assert_array_equal(after["flux_raw"], before["flux"])
    (table,) = extract(read_plan(workspace.config_file), Wanted(level="processed", bins=("RA010",))).tables()
    for name in ("flux", "flux_raw", "trend", "qflag", "snr"):
        np.testing.assert_array_equal(table[name], np.concatenate([rows[name] for rows in processed]))
    with h5py.File(workspace.product("RA010_analysis.h5")) as analysis:
        injections, loss, flagged = (analysis[name][:] for name in ("injections", "signal_loss", "flagged"))
    assert sum(np.count_nonzero(rows["qflag"]) for rows in processed) == len(flagged)
    names, simulated = _stored(workspace, "simulated")
    assert "_simulated_01_of_0" in names[0].partition("_processed_")[2]
    with h5py.File(workspace.product("DEMO_photometry_RA010_simulated.h5")) as file:
        np.testing.assert_array_equal(file["injections"]["peak_mjd"], injections["peak_mjd"])
    assert len(loss) == len(injections) == len(simulated)
    assert np.isfinite(loss["ratio"]).any()
    workspace.set("save_processed", False).set("save_simulated", False)
    assert workspace.plan("DEMO_PROJECT/RA010_analysis.h5").idle
