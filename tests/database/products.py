"""Small synthetic products of a project, as the workflow leaves them on disk."""

import json

import numpy as np

from vo_lib import paths
from vo_lib.hdf5 import Writer
from vo_lib.periods.periodic import PERIOD_PROPERTIES
from vo_lib.search.detections import DETECTION_COLUMNS
from vo_lib.search.events import EVENT_COLUMNS
from vo_lib.statistics import STATISTICS

PROVENANCES = [
    {"id": "reduced0", "process": "reduce", "parameters": {"gap_days": 40.0}, "code": "c1", "upstreams": []},
    {"id": "analysed0", "process": "analyze", "parameters": {"seed": 1}, "code": "c2", "upstreams": ["reduced0"]},
]

INDEX_REALS = (
    *("mjd_first", "mjd_last", "exptime", "cadence", "flux_mean", "flux_median", "flux_rms", "flux_rms_robust"),
    *("flux_min", "flux_max", "mag_median", "snr_min", "snr_median", "snr_max", "dmag_min", "dmag_median", "dmag_max"),
    "zp",
)
DETECTION_REALS = [name for name, (kind, *_) in DETECTION_COLUMNS.items() if kind == "f8"]
EVENT_REALS = [name for name, (kind, *_) in EVENT_COLUMNS.items() if kind == "f8"]
PERIOD_REALS = tuple(name for name, (kind, *_) in PERIOD_PROPERTIES.items() if kind == "f8")
PROPERTY_REALS = ("mjd_first", "mjd_last", "best_snr", *STATISTICS, *PERIOD_REALS)


def sync_arguments(bins=("RA000",), *, project="demo", observatories=("DEMO",)):
    """Keywords of ``sync_project`` and, with ``database``, parameters of the script."""
    return {
        "project": project,
        "bins": list(bins),
        "observatories": list(observatories),
        "histograms": [],
        "provenances": PROVENANCES,
    }


def write_bin(
    root,
    names,
    *,
    folder="DEMO",
    bin_name="RA000",
    observatories=("DEMO",),
    detected=None,
    flux=10.0,
    mag=15.0,
    release="",
):
    """Write manifests, reduced files and the analysis file of a bin.

    Each source has one lightcurve per observatory and one injection; those in `detected`
    (all without it) one real and one simulated detection in the first observatory. The first
    source failed two checks there.
    """
    detected = names if detected is None else detected
    for obs in observatories:
        raw = paths.raw_file(obs, bin_name, release)
        _write_manifest(root / paths.manifest_file(folder, obs, bin_name), obs, bin_name, raw, names, mag)
        with Writer(root / paths.reduced_file(folder, obs, bin_name)) as writer:
            writer.write_table("index", index_table(names, obs, flux))
            writer.write_json("metadata", {"process": "reduce", "provenance": "reduced0"})
    with Writer(root / paths.analysis_file(folder, bin_name)) as writer:
        writer.write_table("detections", detection_table(detected, observatories[0]))
        writer.write_table("events", event_table(detected, observatories[0]))
        writer.write_table("injections", injection_table(names, observatories[0]))
        writer.write_table("bad_data", bad_data_table(names[:1], observatories[0]))
        writer.write_table("properties", property_table(names))
        writer.write_json("metadata", {"process": "analyze", "provenance": "analysed0"})


def _write_manifest(path, obs, bin_name, raw, names, mag):
    header = {"schema": 1, "obs": obs, "bin": bin_name, "counts": {"ok": len(names), "empty": 0, "failed": 0}}
    header["raw_file"] = raw
    rows = [_manifest_row(name, 0.01 * number, mag) for number, name in enumerate(names)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in (header, *rows)), encoding="utf-8")


def _manifest_row(name, ra, mag):
    position = {"name": name, "ra": ra, "dec": -1.5, "pmra": None, "pmdec": None, "parallax": None, "epoch": 2016.0}
    magnitude = {"mag": mag, "mag_err": None, "mag_filter": "G"}
    return position | magnitude | {"status": "ok", "n_rows": 3, "digest": "d1", "reason": ""}


def _keys(names):
    return np.array([paths.lightcurve_key(name, 1, 1) for name in names], dtype=str)


def _same(value, names):
    return np.full(len(names), value)


def index_table(names, obs, flux):
    texts = {"key": _keys(names), "source": np.array(names, dtype=str), "obs": _same(obs, names)}
    texts |= {"filter": _same("demo-g", names), "series": _same("1", names), "digest": _same("d2", names)}
    counts = {"number": 1, "count": 1, "n_epochs": 3, "n_good": 3}
    reals = {name: _same(np.nan if name == "cadence" else flux, names) for name in INDEX_REALS}
    return (
        texts
        | {name: _same(value, names) for name, value in counts.items()}
        | reals
        | {"is_uniform": np.zeros(len(names), dtype=np.int8)}
    )


def detection_table(names, obs):
    """A real and a simulated detection of each source, one after the other."""
    names = [name for name in names for _ in range(2)]
    simulated = np.tile([0, 1], len(names) // 2).astype(np.int64)
    texts = {"source": np.array(names, dtype=str), "lightcurve": _keys(names), "obs": _same(obs, names)}
    texts |= {"filter": _same("demo-g", names), "method": _same("peak", names)}
    texts |= {"series": _same("1", names), "template": _same("", names)}
    counts = {"number": 1, "sign": -1, "first_epoch": 0, "last_epoch": 2, "peak_epoch": 1, "n_epochs": 3}
    counts |= {"n_flagged": 0, "event": 1}
    numbers = {name: _same(value, names) for name, value in counts.items()}
    reals = {name: _same(7.5, names) for name in DETECTION_REALS}
    return texts | numbers | reals | {"simulated": simulated, "injection": simulated}


def event_table(names, obs):
    """The event of each source that its real detection is."""
    texts = {"source": np.array(names, dtype=str), "lightcurve": _keys(names), "obs": _same(obs, names)}
    texts |= {"filters": _same("demo-g", names), "surveys": _same(obs, names)}
    counts = {name: _same(1, names) for name in ("event", "sign", "n_detections", "number")}
    return texts | counts | {name: _same(7.5, names) for name in EVENT_REALS}


def injection_table(names, obs):
    texts = {"source": np.array(names, dtype=str), "lightcurve": _keys(names), "obs": _same(obs, names)}
    texts |= {"filter": _same("demo-g", names), "kind": _same("flare", names), "reason": _same("flagged", names)}
    numbers = ("peak_mjd", "width", "amplitude", "expected_snr", "observable_days", "exposure_days", "seen_snr")
    reals = {name: _same(2.5, names) for name in numbers}
    found = {"snr": _same(np.nan, names), "injection": _same(1, names)}
    found |= {name: _same(0, names) for name in ("match", "n_found", "recovered")}
    return texts | reals | found


def bad_data_table(names, obs):
    """Two failed checks of each source, one after the other."""
    names = [name for name in names for _ in range(2)]
    texts = {"source": np.array(names, dtype=str), "lightcurve": _keys(names), "obs": _same(obs, names)}
    reasons = ["Non-linear time: 1 of 2 steps are not forward", "Short Exposure: 0.5 s in all"]
    checks = {"check": ["linear", "exptime"], "reason": reasons}
    return texts | {name: np.array(values * (len(names) // 2), dtype=str) for name, values in checks.items()}


def property_table(names):
    counts = {"n_lightcurves": 1, "n_epochs": 3, "n_good": 3, "n_detections": 1, "filter_n_good": 3, "bls_n_dips": 2}
    values = counts | {"interest": "interesting", "filter": "demo-g"} | dict.fromkeys(PROPERTY_REALS, 1.25)
    values |= {"periodogram": 1, "best_period_alias": "day", "best_period_filter": "demo-g", "bls_fap": np.nan}
    values |= {"color_demo_g_demo_r": 0.5, "color_demo_g_demo_r_err": 0.01, "color_demo_g_demo_i": np.nan}
    return {"source": np.array(names, dtype=str)} | {name: _same(value, names) for name, value in values.items()}
