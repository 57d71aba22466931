"""Analyse genuine data of ZTF and TESS, and list every detection.

    python benchmarks/validate_real.py FOLDER [--pictures FOLDER]

The first folder has ``ztf/irsa_lightcurve_WD_ra000.csv``, an answer of IRSA for a white dwarf at RA 0, Dec +51.39, and
``tess/tess_TIC55652896_s0001_lc.fits``, the lightcurve of TOI-216 in sector 1 from MAST.
"""

import argparse
from pathlib import Path

import numpy as np

from vo_lib.analysis import Analysis
from vo_lib.canvas import draw_png
from vo_lib.observatories.answers import read_csv_answer
from vo_lib.observatories.lightcurve_fits import read_lightcurve
from vo_lib.observatories.tess import VirtualTESS
from vo_lib.observatories.ztf import COLUMNS, VirtualZTF
from vo_lib.plots import plot_detection
from vo_lib.reduce import reduce_bin

ZTF_FILE, TESS_FILE = "ztf/irsa_lightcurve_WD_ra000.csv", "tess/tess_TIC55652896_s0001_lc.fits"
SHOWN = {
    "filter": "filter",
    "method": "method",
    "template": "template",
    "peak_mjd": "peak [MJD]",
    "n_epochs": "epochs",
    "sign": "sign",
    "score": "score",
    "dmag": "Δmag",
    "n_flagged": "flagged",
}


def read_ztf(folder):
    """Return source, raw epochs and survey of the answer of IRSA."""
    data = read_csv_answer((folder / ZTF_FILE).read_text(), COLUMNS)
    data = data[np.lexsort((data["expid"], data["mjd"], data["oid"]))]
    return {"name": "WD J0000+5123", "ra": 0.0, "dec": 51.3937}, data, VirtualZTF()


def read_tess(folder):
    """Return source, raw epochs and survey of the file from MAST."""
    survey = VirtualTESS()
    data = read_lightcurve((folder / TESS_FILE).read_bytes(), survey, {"TICID": 55652896, "SECTOR": 1})
    return {"name": "TOI-216", "ra": 73.980231, "dec": -63.260063}, data, survey


def analyse(source, data, survey, finder):
    """Return the lightcurves, which epochs have bad flags of the survey, and the results."""
    table = {name: np.array([value]) for name, value in source.items()} | {"mag": np.array([np.nan])}
    batch = reduce_bin(table, data, [len(data)], survey).batch
    quality = {"bad_flags": {survey.name: survey.bad_flag_mask}, "saturation_mag": survey.saturation_mag}
    result = Analysis(quality=quality, finder=finder, simulator={"num_injections": 0}).analyze_photometry(table, batch)
    return batch, (batch.columns["flag"] & survey.bad_flag_mask) != 0, result


def count_bad(batch, bad, detections):
    """Count the detections whose peak is an epoch that the survey flags as bad; there should be none."""
    keys = batch.table["key"].tolist()
    rows = [batch.starts[keys.index(key)] for key in detections["lightcurve"].tolist()]
    return int(bad[np.array(rows, np.int64) + detections["peak_epoch"]].sum())


def report(source, batch, bad, result):
    """Return lines of Markdown for one lightcurve file."""
    detections = result.tables["detections"]
    yield f"### {source['name']}, {batch.table['obs'][0]}\n"
    yield (
        f"{batch.n_epochs:,} epochs in {batch.n_lightcurves} lightcurves, {bad.sum():,} bad by the survey's flags; "
        f"{len(detections['score'])} detections in {len(result.tables['events']['score'])} events, "
        f"{count_bad(batch, bad, detections)} with a peak that is bad.\n"
    )
    yield "| " + " | ".join(SHOWN.values()) + " |"
    yield "| " + " | ".join("---" for _ in SHOWN) + " |"
    for row in np.argsort(detections["peak_mjd"]).tolist():
        cells = [detections[name][row] for name in SHOWN]
        yield "| " + " | ".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells) + " |"
    yield ""


def draw(folder, source, batch, result):
    """Draw a figure of each detection."""
    folder.mkdir(parents=True, exist_ok=True)
    keys, detections = batch.table["key"].tolist(), result.tables["detections"]
    flagged = np.zeros(batch.n_epochs, bool)
    listed = result.tables["flagged"]
    flagged[batch.starts[listed["series"]] + listed["epoch"]] = True
    for row in range(len(detections["score"])):
        detection = {name: values[row] for name, values in detections.items()}
        index = keys.index(detection["lightcurve"])
        span = slice(*batch.starts[index : index + 2])
        columns = batch.lightcurve(index) | {"obs": batch.table["obs"][index], "filter": batch.table["filter"][index]}
        picture = draw_png(
            lambda columns=columns, detection=detection, span=span: (
                plot_detection(columns, detection, flagged=flagged[span], value="flux")[0].figure
            ),
            style="light",
        )
        (folder / f"{source['name']}_{row}.png".replace(" ", "_")).write_bytes(picture)


def main():
    """Print the results as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="draw each detection")
    parser.add_argument("--methods", nargs="+", default=["peak", "matched_filter"])
    arguments = parser.parse_args()
    for read in (read_ztf, read_tess):
        source, data, survey = read(arguments.folder)
        batch, bad, result = analyse(source, data, survey, {"methods": arguments.methods})
        print("\n".join(report(source, batch, bad, result)))
        if arguments.pictures:
            draw(arguments.pictures, source, batch, result)


if __name__ == "__main__":
    main()
