"""Validate injection, recovery and rates with simulated surveys whose truth is known, and print Markdown.

Run it from the project's folder in the activated environment:

    python benchmarks/validate_rates.py > rates.md

Everything is in memory; `benchmarks/validate_workflow.py` does the same with the whole workflow.
"""

import math
import sys
from itertools import product
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from make_batch import make_batch  # noqa: E402 - needs the paths
from make_survey import finder_section, make_survey, rate_of  # noqa: E402

from vo_lib.counts.false_detections import expected_noise  # noqa: E402
from vo_lib.finder import Finder  # noqa: E402
from vo_lib.injection.recovery import recover  # noqa: E402
from vo_lib.noise_copies import false_alarms_of  # noqa: E402
from vo_lib.search.detrend import detrend  # noqa: E402
from vo_lib.search.noise import baseline  # noqa: E402
from vo_lib.search.noise_model import error_spread, false_detections, scatter_over_error  # noqa: E402
from vo_lib.segments import segment_median  # noqa: E402
from vo_lib.simulator import inject  # noqa: E402

HEADER = ("seed", "detections", "recovered", "exposure [d]", "rate / truth", "deviation [sigma]")
COVERAGE = ("surveys", "mean of rate / truth", "within 1 sigma", "within 2 sigma", "scatter [sigma]")
COVERAGE += ("68 % interval holds it", "below the 95 % limit")
TEXTS = ("class", "obs", "filter", "kind", "n_false_from")


def print_table(header, rows, end="\n"):
    """Print a table in Markdown."""
    print(f"| {' | '.join(header)} |\n|{' --- |' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(end=end)


def deviation(row, truth):
    """Return the deviation of a rate from the truth, in units of the half of its interval on the side of the truth."""
    side = row["rate_high"] - row["rate"] if truth > row["rate"] else row["rate"] - row["rate_low"]
    return (row["rate"] - truth) / side


def describe(name, row, truth):
    """Return the cells of a measured rate."""
    return [
        name,
        f"{row['n_detections']:.0f}",
        f"{row['n_recovered']:.0f} of {row['n_injections']:.0f}",
        f"{row['exposure_days']:.0f} ± {row['exposure_err']:.0f}",
        f"{row['rate'] / truth:.3f}",
        f"{deviation(row, truth):+.2f}",
    ]


def closed_loop(n_listed=20, n_seeds=100, **options):
    """Print the rates of simulated surveys with a known rate: the first few by themselves, and a summary."""
    surveys = [make_survey(seed, **options) for seed in range(n_seeds)]
    rows, truth = [rate_of(survey) for survey in surveys], surveys[0].rate
    if n_listed:
        print_table(HEADER, [describe(str(seed), row, truth) for seed, row in enumerate(rows[:n_listed])])
    print_table(COVERAGE, [coverage(rows[:number], truth) for number in sorted({n_listed, n_seeds} - {0})])


def coverage(rows, truth):
    """Return the cells that compare the rates of some surveys with the truth."""
    number, ratios = len(rows), [row["rate"] / truth for row in rows]
    sigmas = np.array([deviation(row, truth) for row in rows])
    within = [int((np.abs(sigmas) <= limit).sum()) for limit in (1, 2)]
    held = sum(row["rate_low"] <= truth <= row["rate_high"] for row in rows)
    below = sum(truth <= row["rate_upper"] for row in rows)
    mean = f"{np.mean(ratios):.3f} ± {np.std(ratios) / math.sqrt(number):.3f}"
    return [f"{number}", mean, *map(str, within), f"{sigmas.std():.2f}", f"{held}", f"{below}"]


def boxes(n_sources, *, snr, seed=1):
    """Inject and search boxes that cover one epoch each, with S/N in a range; return injections and finding."""
    batch = make_batch([200] * n_sources, cadence=1.0, seed=seed)
    qflag = np.zeros(batch.n_epochs, np.int64)
    options = {"kinds": ("box",), "width_min_days": 0.9, "width_max_days": 0.9, "snr_min": snr[0], "snr_max": snr[1]}
    injected, truth = inject(batch, qflag, seed=seed, **options)
    found = Finder(methods=["peak"]).find(injected, qflag)
    return recover(
        truth, injected.table["original"], real=Finder(methods=["peak"]).find(batch, qflag), found=found
    ), found


def noise_alarms():
    """Print false alarms in noise relative to those promised, by errors, number of epochs and methods."""
    low = {"snr_threshold": 4.0, "matched_filter": {"false_alarms": 0.01}}
    errors = {"right": (1.0, 0.0), "right, and differ by 20 %": (1.0, 0.2), "half": (0.5, 0.0)}
    errors |= {"0.7 of the true ones, and differ by 20 %": (0.7, 0.2), "half, and differ by 40 %": (0.5, 0.4)}
    rows = []
    for name, n_epochs in product(errors, (20, 150)):
        batch = _noise(400_000 // n_epochs, n_epochs, *errors[name])
        for methods in (["peak"], ["matched_filter"], ["peak", "matched_filter"]):
            qflag, expected = (
                np.zeros(batch.n_epochs, np.int64),
                _promised(batch, finder_section(methods=methods, **low)),
            )
            found = false_alarms_of(Finder(methods=methods, **low), batch, qflag, seed=3)
            number, error_of = (np.mean([found[-1][0], found[1][0]]), math.hypot(found[-1][1], found[1][1]) / 2)
            cells = [", ".join(methods), f"{expected:.2e}", f"{number / expected:.2f} ± {error_of / expected:.2f}"]
            rows.append([name, f"{n_epochs}", *cells])
    header = ["errors", "epochs", "methods", "promised for a lightcurve and sign", "found / promised"]
    print_table(header, rows)


def _noise(number, n_epochs, scale, spread):
    """Make lightcurves of noise whose errors are `scale` times the true ones, with a relative scatter of `spread`."""
    rng, batch = np.random.default_rng(1), make_batch([n_epochs] * number, cadence=0.7)
    error = 10 * scale * np.exp(rng.normal(0, spread, batch.n_epochs))
    return batch.with_columns(fluxerr=error, flux=rng.normal(1000, error / scale))


def other_noise():
    """Print detections, with default options, in noise that is not Gaussian, not white, or not as the errors say."""
    rows = []
    for name, make in OTHER_NOISE.items():
        rng = np.random.default_rng(1)
        batch = make_batch([150] * 1000, cadence=1.0)
        batch = batch.with_columns(flux=1000 + 10 * make(rng, batch.columns["mjd"].reshape(1000, 150)).ravel())
        for window in (None, 20.0) if "walk" in name else (None,):
            what = f"{name}, biweight of {window:g} d" if window else name
            good = np.ones(batch.n_epochs, bool)
            searched = detrend(batch, good, method="biweight", window_days=window) if window else batch
            found = Finder().find(searched, np.zeros(batch.n_epochs, np.int64)).detections
            promised = 1000 * _promised(searched, finder_section())
            cells = [int((found["sign"] == sign).sum()) for sign in (1, -1)] + [int((found["n_epochs"] > 1).sum())]
            rows.append([what, *map(str, cells), f"{promised:.2f}"])
    print_table(["noise", "brighter", "fainter", "of two epochs or more", "promised for each sign"], rows)


def _walk(days, part):
    """Return a function that makes noise, of which a fraction `part` of the variance is a damped random walk."""

    def make(rng, mjd):
        walk, white = rng.normal(size=mjd.shape), rng.normal(size=mjd.shape)
        left = np.exp(-np.diff(mjd, axis=1) / days)
        for epoch in range(1, mjd.shape[1]):
            memory = left[:, epoch - 1]
            walk[:, epoch] = memory * walk[:, epoch - 1] + np.sqrt(1 - memory**2) * walk[:, epoch]
        return math.sqrt(part) * walk + math.sqrt(1 - part) * white

    return make


def _outliers(part, *signs):
    """Return a function that makes Gaussian noise, with outliers of 8 errors on average in a fraction of the epochs."""

    def make(rng, mjd):
        off = (rng.random(mjd.shape) < part) * rng.exponential(8, mjd.shape)
        return rng.normal(size=mjd.shape) + rng.choice(signs, mjd.shape) * off

    return make


# Noise in units of the errors, as functions of a random generator and the times, one epoch per night.
OTHER_NOISE = {
    "Gaussian": lambda rng, mjd: rng.normal(size=mjd.shape),
    "Student's t of 3 degrees": lambda rng, mjd: rng.standard_t(3, mjd.shape),
    "1 % bright outliers": _outliers(0.01, 1),
    "5 % outliers": _outliers(0.05, -1, 1),
    "twice as great in a quarter of the epochs": lambda rng, mjd: (
        rng.normal(size=mjd.shape) * np.where(rng.random(mjd.shape) < 0.25, 2, 1)
    ),
    "a tenth a walk of 2 d": _walk(2.0, 0.1),
    "half a walk of 2 d": _walk(2.0, 0.5),
    "half a walk of 20 d": _walk(20.0, 0.5),
    "nine tenths a walk of 20 d": _walk(20.0, 0.9),
}


def detrended_noise():
    """Print false alarms in detrended white noise relative to those promised, by the number of epochs in a window."""
    low, rows = {"snr_threshold": 4.0, "matched_filter": {"false_alarms": 0.01}}, []
    for scale, method in product((1.0, 0.7), ("median", "biweight")):
        batch = _noise(2000, 150, scale, 0.0)
        good, cells = np.ones(batch.n_epochs, bool), []
        for number in (6, 10, 20, 50):
            flat = detrend(batch, good, method=method, window_days=0.7 * number)
            found = len(Finder(**low).find(flat, np.zeros(batch.n_epochs, np.int64)).lightcurve)
            promised = 2 * 2000 * _promised(flat, finder_section(**low))
            cells.append(f"{found / promised:.1f} ± {math.sqrt(found) / promised:.1f}")
        rows.append([f"{scale:g} of the true ones" if scale < 1 else "right", method, *cells])
    print_table(["errors", "location", *(f"{number} epochs in a window" for number in (6, 10, 20, 50))], rows)


def _promised(batch, section):
    """Return the number of false detections of each sign that is promised for a lightcurve."""
    good = np.ones(batch.n_epochs, bool)
    errors = batch.columns["fluxerr"].reshape(batch.n_lightcurves, -1)
    spread = error_spread(batch.counts, np.sqrt(np.mean(errors**2, axis=1)), np.sum(errors**-2.0, axis=1) ** -0.5)
    middle, promised = segment_median(errors.ravel(), batch.starts), expected_noise(section)
    ratio = scatter_over_error(batch.counts, baseline(batch, good)[1], middle)
    options = {"threshold": promised["threshold"] or np.inf, "false_alarms": promised["false_alarms"][1]}
    return false_detections(batch.counts[:1], ratio=ratio, spread=spread, **options)[0]


def completeness():
    """Print the fraction of boxes that is found, and the Gaussian integral."""
    truth, _ = boxes(20_000, snr=(2.0, 12.0))
    rows = []
    for low, high in ((2, 3), (3, 4), (4, 4.5), (4.5, 5), (5, 5.5), (5.5, 6), (6, 7), (7, 8), (8, 10)):
        chosen = (truth["seen_snr"] >= low) & (truth["seen_snr"] < high)
        theory = np.mean([math.erfc((5 - snr) / math.sqrt(2)) / 2 for snr in truth["seen_snr"][chosen].tolist()])
        number, part = chosen.sum(), truth["recovered"][chosen].mean()
        error = math.sqrt(theory * (1 - theory) / number)
        rows.append([f"{low} to {high}", f"{number}", f"{part:.4f}", f"{theory:.4f} ± {error:.4f}"])
    print_table(["S/N at the epoch", "injected", "recovered", "theory"], rows)


def flux_and_time():
    """Print the S/N, flux and time of recovered boxes compared with the truth."""
    truth, found = boxes(20_000, snr=(10.0, 30.0))
    rows = np.flatnonzero(truth["recovered"] == 1)
    place = {
        (event, number): row
        for row, (event, number) in enumerate(zip(found.lightcurve, found.detections["number"], strict=True))
    }
    table = [place[row, truth["match"][row]] for row in rows.tolist()]
    peak = found.detections["peak_mjd"][table] - truth["peak_mjd"][rows]
    pull = truth["snr"][rows] - truth["seen_snr"][rows]
    flux = truth["snr"][rows] / truth["seen_snr"][rows] - 1
    values = {"S/N less expected S/N": pull, "flux / true flux - 1": flux, "peak less true peak [d]": peak}
    cells = [
        [name, f"{len(x)}", f"{x.mean():+.4f} ± {x.std() / math.sqrt(len(x)):.4f}", f"{x.std():.4f}"]
        for name, x in values.items()
    ]
    print_table(["quantity", "events", "mean", "scatter"], cells)


def main():
    """Print all tables."""
    print("## Rates that come back\n")
    closed_loop(n_sources=300)
    print("## Small surveys\n")
    closed_loop(0, n_sources=10)
    print("## What noise makes\n")
    noise_alarms()
    print("## What other noise makes\n")
    other_noise()
    detrended_noise()
    print("## Completeness of the peak finder\n")
    completeness()
    print("## Flux and time of what is recovered\n")
    flux_and_time()


if __name__ == "__main__":
    main()
