"""A small project on disk for tests: the products that its report is made from, without the workflow."""

import numpy as np
from make_batch import make_batch, put
from workspace import Workspace

from vo_lib import hdf5, paths
from vo_lib.counts.epoch_counts import count_coverage, count_scores
from vo_lib.counts.histogram_axes import make_histograms
from vo_lib.counts.histogram_files import read_histograms, write_histograms
from vo_lib.downloads.manifest import write_manifest
from vo_lib.finder import Finder
from vo_lib.histograms import merge
from vo_lib.injection.efficiency import count_injections
from vo_lib.plan import read_plan
from vo_lib.quality import assess, bit_table, flagged_epochs
from vo_lib.rates import RATE_COLUMNS
from vo_lib.tables import write_csv

NASTY = "<script>alert(1)</script> & $x$ \"'"
FINDER = {"class": None, "methods": ["peak"], "snr_threshold": 5.0, "matched_filter": {"false_alarms": 1e-4}}
FINDER |= {"noise": "greater", "mask_flagged": True}
BINS, SURVEYS = ("RA010", "RA200"), ("DEMO",)
OPTIONS = {"filters": ("demo-g",), "surveys": SURVEYS, "kinds": ("flare", "dip"), "snr_range": (-20, 20, 0.5)}
# Two sources with data in each bin, and one without.
NAMES = {"RA010": (NASTY, "calm", "dark"), "RA200": ("flagged", "flare", "lost")}
STATUS = {"dark": "empty", "lost": "failed"}
N_EPOCHS, N_RAW = 200, 210
# The sources but NASTY.
CATALOG = "name,ra,dec\ncalm,10.25,-10\ndark,10.5,10\nflagged,200,-30\nflare,200.25,-10\nlost,200.5,10\n"


def params(**changes):
    """Parameters of the report's job."""
    row = {"process": "reduce", "parameters": {"observatory": "DEMO"}, "id": "0123456789abcdef0123", "upstreams": []}
    return {
        "project": "demo",
        "bins": list(BINS),
        "observatories": list(SURVEYS),
        "config": {
            "project": "demo",
            "description": NASTY,
            "quality": {"offset_threshold": 3.5},
            "finder": FINDER,
            "bins": {"width_deg": 1},
        },
        "config_file": "DEMO/00_config_0123.yaml",
        "provenance": None,
        "provenances": [row],
        "num_best": 6,
        "max_pages": 200,
        "threshold": 5.0,
    } | changes


def damage(path):
    """Flip a bit in the middle of a file, as a disk might do it."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def make_project(folder, *, flares=True, data=True):
    """Write the products of the project DEMO into a data root.

    Each source with data has 200 epochs, 10 more were left out; one epoch of each bin is flagged.
    With `flares` the first source brightens at epochs 50 and 51, "flare" fades at epoch 150.
    """
    (folder / "DEMO").mkdir()
    total = make_histograms(**OPTIONS)
    for number, name in enumerate(BINS):
        batch = _lightcurves(name, number, flares, data)
        assessment = assess(batch)
        finding = Finder(methods=FINDER["methods"]).find(batch, assessment.qflag)
        mag, counted = np.full(batch.n_lightcurves, 16.2), make_histograms(**OPTIONS)
        count_scores(counted, batch, mag, assessment.qflag, assessment.distance, finding.snr)
        count_coverage(counted, batch, mag, assessment.qflag)
        count_injections(counted, _injections(batch), np.full(4 * (batch.n_lightcurves > 0), 16.2))
        total = merge([total, counted])
        _write_manifest(folder, name, data)
        _write_reduced(folder, name, batch)
        _write_analysis(folder, name, batch, assessment, finding)
    for name, histogram in total.items():
        write_histograms(folder / paths.histograms_file("DEMO", name), [histogram], {})
    write_csv(folder / paths.rates_file("DEMO"), [_rates(data)])


def make_workspace(folder, write=make_project, *, catalog=CATALOG):
    """Workspace of the project DEMO_ with the products that a function writes into a data root for DEMO."""
    workspace = Workspace(folder)
    workspace.set("project", "demo_").catalog.write_text(catalog)
    workspace.save()
    workspace.data_root.mkdir()
    write(workspace.data_root)
    (workspace.data_root / "DEMO").rename(workspace.data_root / "DEMO_")
    return workspace


def make_plan(folder):
    """Plan of the project DEMO_ with products, whose reduced files have indexes and whose files have provenances."""
    plan = read_plan(make_workspace(folder).config_file)
    for name in plan.bins:
        reduced = plan.data_root / paths.reduced_file(plan.folder, "DEMO", name)
        _finish(reduced, plan.provenance("reduce", "DEMO"))
        _finish(plan.data_root / paths.analysis_file(plan.folder, name), plan.provenance("analyze"))
    for path in (plan.data_root / plan.folder).glob("histograms_*.nc"):
        write_histograms(path, list(read_histograms(path).values()), {"provenance": plan.provenance("analyze").id})
    return plan


def _finish(path, provenance):
    """Add to a file what the small project lacks."""
    with hdf5.Writer(path, base=path) as file:
        keys = [key for key in file._file if "_reduction_" in key]
        names = [paths.decode_key(key.partition("_reduction_")[0]) for key in keys]
        if keys:
            index = {"key": keys, "source": names, "obs": ["DEMO"] * len(keys), "filter": ["demo-g"] * len(keys)}
            counts = {"n_epochs": np.full(len(keys), N_EPOCHS)}
            file.write_table("index", {name: np.array(values) for name, values in index.items()} | counts)
        file.write_json("metadata", {"provenance": provenance.id})


def _status(name, data):
    """Outcome of the download of a source."""
    return STATUS.get(name, "ok" if data else "empty")


def _lightcurves(bin_name, seed, flares, data):
    """Lightcurves of a bin."""
    names = [name for name in NAMES[bin_name] if _status(name, data) == "ok"]
    batch = make_batch([N_EPOCHS] * len(names), seed=seed, sources=[name[:16] for name in names])
    batch.table["source"] = np.array(names, dtype=str)
    keys = [paths.lightcurve_key(name, 1, 1) for name in names]
    batch.table["key"] = np.array(keys, dtype=str)
    if names:
        batch = put(batch, 0, [20], flag=1)
    if names and flares:
        rows, flux = ([50, 51], [1200.0, 1150.0]) if bin_name == "RA010" else ([150], [850.0])
        batch = put(batch, names.index(NASTY if bin_name == "RA010" else "flare"), rows, flux=flux)
    return batch


def _write_manifest(folder, bin_name, data):
    """Manifest of a bin."""
    row = dict.fromkeys(("pmra", "pmdec", "parallax", "mag", "mag_err")) | {
        "epoch": 2016.0,
        "mag_filter": "G",
        "digest": "",
    }
    rows = []
    for number, name in enumerate(NAMES[bin_name]):
        status = _status(name, data)
        found = {
            "status": status,
            "n_rows": N_RAW * (status == "ok"),
            "reason": "HTTP 503" if status == "failed" else "",
        }
        rows.append(row | found | {"name": name, "ra": float(bin_name[2:]) + number / 4, "dec": -30.0 + 20 * number})
    write_manifest(folder / paths.manifest_file("DEMO", "DEMO", bin_name), {"obs": "DEMO", "bin": bin_name}, rows)


def _write_reduced(folder, bin_name, batch):
    """Reduced file of a bin."""
    number = batch.n_lightcurves
    left = {
        "source": batch.table["source"],
        "reason": np.full(number, "other object"),
        "n_epochs": np.full(number, N_RAW - N_EPOCHS),
    }
    sources = {"source": np.array(NAMES[bin_name])} | {
        name: np.where(np.isin(NAMES[bin_name], batch.table["source"]), value, 0)
        for name, value in (
            ("n_raw", N_RAW),
            ("n_kept", N_EPOCHS),
            ("n_left_out", N_RAW - N_EPOCHS),
            ("n_lightcurves", 1),
        )
    }
    with hdf5.Writer(folder / paths.reduced_file("DEMO", "DEMO", bin_name)) as file:
        for index, key in enumerate(batch.table["key"].tolist()):
            file.write_table(key, batch.lightcurve(index))
        file.write_table("sources", sources)
        file.write_table("left_out", left)
        file.write_json("metadata", {})


def _injections(batch):
    """Four injections, of which two were recovered; none without lightcurves."""
    table = {
        "expected_snr": np.array([4.0, -6.0, 12.0, 25.0]),
        "recovered": np.array([0, 0, 1, 1]),
        "reason": np.array(["below threshold", "flagged", "recovered", "recovered"]),
        "kind": np.array(["flare", "dip", "flare", "flare"]),
        "width": np.full(4, 0.5),
        "filter": np.full(4, "demo-g"),
        "amplitude": np.array([100.0, -200.0, 1000.0, 5000.0]),
        "obs": np.full(4, "DEMO"),
        "lightcurve": np.resize(batch.table["key"][:1], 4),
    }
    return {name: values[: 4 * (batch.n_lightcurves > 0)] for name, values in table.items()}


def _losses(batch):
    """What detrending left of the four injections, of which no good epoch saw the last."""
    table = {"width": np.array([0.5, 0.5, 5.0, 5.0]), "ratio": np.array([0.9, 1.0, 0.25, np.nan])}
    return {name: values[: 4 * (batch.n_lightcurves > 0)] for name, values in table.items()}


def _rates(data):
    """Rates of flares and dips; nothing was found in dips."""
    numbers = {"n_detections": [1, 0], "n_other_sign": [2, 1], "rate": [2e-3, np.nan]}
    numbers |= {
        "rate_low": [1e-3, np.nan],
        "rate_high": [4e-3, np.nan],
        "rate_upper": [9e-3, np.nan],
        "source_days": [800.0, 0.0],
        "exposure_days": [500.0, 0.0],
    }
    texts = {"class": ["all", NASTY], "obs": ["DEMO"] * 2, "filter": ["demo-g"] * 2, "kind": ["flare", "dip"]}
    texts |= {"n_false_from": ["promised", "unknown"]}
    numbers |= {"n_false": [0.25, np.nan], "n_false_err": [0.25, np.nan]}
    table = {name: np.array((numbers | texts).get(name, [1, 1])) for name in RATE_COLUMNS}
    return table if data else {name: values[:0] for name, values in table.items()}


def _write_analysis(folder, bin_name, batch, assessment, finding):
    """Analysis file of a bin: one simulated detection and four injections, of which two were recovered.

    Two lightcurves failed a check as a whole, one of them two.
    """
    number = len(NAMES[bin_name])
    found = [int((finding.detections["source"] == name).sum()) for name in NAMES[bin_name]]
    properties = {
        "source": np.array(NAMES[bin_name]),
        "ra": float(bin_name[2:]) + np.arange(number) / 4,
        "dec": -30.0 + 20 * np.arange(number),
        "n_epochs": np.where(np.isin(NAMES[bin_name], batch.table["source"]), N_EPOCHS, 0),
        "n_detections": np.array(found),
        "interest": np.array(["interesting" if count else "boring" for count in found]),
    }
    flagged = (assessment.qflag != 0).astype(int)
    series = {"lightcurve": batch.table["key"]} | {name: batch.table[name] for name in ("source", "obs", "filter")}
    series["n_epochs"] = np.diff(batch.starts)
    series["flux_median"] = np.full(batch.n_lightcurves, 1000.0)
    series["n_flagged"] = np.add.reduceat(flagged, batch.starts[:-1]) if len(flagged) else flagged
    failed = np.arange(batch.n_lightcurves)[[0, 0, 1] if batch.n_lightcurves else []]
    reasons = np.array(["Short Exposure: 0.5 s in all", "Bad Proposal: x", "Short Exposure: 0.7 s in all"])
    bad_data = {"obs": batch.table["obs"][failed], "reason": reasons[: len(failed)]}
    simulated = {name: np.concatenate([values, values[:1]]) for name, values in finding.detections.items()}
    simulated["simulated"][len(finding.detections["simulated"]) :] = 1
    with hdf5.Writer(folder / paths.analysis_file("DEMO", bin_name)) as file:
        for name, table in (
            ("properties", properties),
            ("series", series),
            ("detections", simulated),
            ("injections", _injections(batch)),
            ("quality_bits", bit_table(assessment.bits, ())),
            ("flagged", flagged_epochs(assessment.qflag, batch.starts)),
            ("bad_data", bad_data),
            ("signal_loss", _losses(batch)),
        ):
            file.write_table(name, table)
