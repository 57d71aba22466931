"""False alarms, completeness, bias and speed of the matched filter.

    python benchmarks/validate_matched_filter.py [--quick]

Lightcurves are Gaussian noise of known errors, with events added for the second and third table. Everything is seeded.
"""

import argparse
import math
import time

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.matched_filter import search_templates
from vo_lib.profiles import PROFILES
from vo_lib.segments import spread, starts_from_counts
from vo_lib.template_bank import make_widths

# Name, epochs of a lightcurve, and how many of them are simulated.
SAMPLINGS = (
    ("every 3 nights, 100 epochs", 100, 100_000),
    ("few, 15 epochs", 15, 100_000),
    ("every 2 min, 5,000 epochs", 5000, 2_000),
)
PROMISED = (1e-2, 3e-3, 1e-3, 1e-4)


def times_of(name, epochs, number, random):
    """Times of all lightcurves, one after the other [d]."""
    if name.startswith("every 2 min"):
        return np.tile(np.arange(epochs) * 2 / 1440, number)
    nights = np.cumsum(random.geometric(1 / 3 if epochs > 50 else 1 / 12, (number, epochs)), axis=1)
    return (nights + random.uniform(-0.15, 0.15, (number, epochs))).ravel()


def make_noise(name, epochs, number, seed):
    """Batch, S/N and noise of lightcurves without events."""
    random = np.random.default_rng(seed)
    size = number * epochs
    columns = {"mjd": times_of(name, epochs, number, random), "flux": np.zeros(size)}
    batch = LightcurveBatch(columns, starts_from_counts(np.full(number, epochs)), {})
    return batch, random.normal(size=size), random.uniform(5, 20, size)


def search(batch, snr, noise, **options):
    """Candidates in all epochs."""
    return search_templates(batch, np.ones(batch.n_epochs, bool), snr, noise, **options)


def false_alarms(quick):
    """Rows of promised and measured shares of lightcurves with a detection."""
    for name, epochs, number in SAMPLINGS:
        number //= 10 if quick else 1
        passed = dict.fromkeys(PROMISED, 0)
        for seed, step in enumerate(range(0, number, 10_000)):
            noise = make_noise(name, epochs, min(10_000, number - step), seed)
            for promised in PROMISED:
                passed[promised] += len(np.unique(search(*noise, false_alarms=promised)["lightcurve"]))
        for promised, found in passed.items():
            yield name, number, promised, found, promised * number, found / (promised * number)


def with_events(kind, strength, seed, *, number=2000, epochs=100, width=4.0):
    """Noise with one event in each lightcurve that its own template sees with a given S/N on average."""
    batch, snr, noise = make_noise(SAMPLINGS[0][0], epochs, number, seed)
    mjd = batch.columns["mjd"]
    middle = mjd[batch.starts[:-1] + epochs // 2]
    peak = middle + np.random.default_rng(seed + 1).uniform(-1, 1, number)
    shape = PROFILES[kind].shape((mjd - spread(peak, batch.starts)) / width) / noise
    # The baseline is fitted too: what is left of the template when its mean is taken off.
    weight = 1 / noise**2
    total = np.add.reduceat(weight, batch.starts[:-1])
    mean = np.add.reduceat(shape / noise, batch.starts[:-1])
    norm = np.sqrt(np.add.reduceat(shape**2, batch.starts[:-1]) - mean**2 / total)
    scale = PROFILES[kind].sign * strength / norm
    return (batch, snr + shape * spread(scale, batch.starts), noise), scale, peak


def completeness(quick):
    """Rows of the part that is found, with what a search by the event's own template would find."""
    for kind in ("gaussian", "flare", "dip"):
        for strength in (4.0, 5.0, 6.0, 8.0, 10.0):
            data, scale, peak = with_events(kind, strength, 7, number=400 if quick else 4000)
            found = search(*data)
            right = found["sign"] == PROFILES[kind].sign
            hit = np.unique(found["lightcurve"][right & (np.abs(found["peak_time"] - peak[found["lightcurve"]]) < 6)])
            level = np.median(found["threshold"])
            theory = 0.5 * math.erfc((level - strength) / math.sqrt(2))
            yield kind, strength, len(hit) / len(scale), theory, level


def bias(quick):
    """Rows of the pull of the amplitude and the error of the time of events at S/N 15."""
    for kind in ("gaussian", "flare", "dip", "box", "eclipse", "microlens"):
        data, scale, peak = with_events(kind, 15.0, 11, number=400 if quick else 4000)
        found = search(*data, shapes=(kind,), overlap=0.97)
        where = found["lightcurve"]
        pull = (found["amplitude"] - scale[where]) / found["amplitude_err"]
        near = np.abs(found["peak_time"] - peak[where]) < 6
        step = (found["peak_time"] - peak[where])[near]
        ratio = (found["amplitude"] / scale[where])[near]
        yield (
            kind,
            near.sum(),
            np.median(ratio),
            np.median(pull[near]),
            np.median(step),
            np.nanmedian(found["width"][near]),
        )


def speed():
    """Rows of epochs in a second."""
    for name, epochs, number in (
        ("100 epochs", 100, 10_000),
        ("300 epochs", 300, 4_000),
        ("20,000 epochs", 20_000, 100),
    ):
        kind = SAMPLINGS[2][0] if epochs > 10_000 else SAMPLINGS[0][0]
        noise = make_noise(kind, epochs, number, 3)
        begin = time.perf_counter()
        search(*noise)
        yield name, epochs * number / (time.perf_counter() - begin) / 1e6


def print_table(title, header, rows, form):
    """One table as Markdown."""
    print(f"### {title}\n\n| {' | '.join(header)} |\n|{' --- |' * len(header)}")
    for row in rows:
        print(f"| {form.format(*row)} |", flush=True)
    print()


def main():
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the lightcurves")
    quick = parser.parse_args().quick
    print(f"Widths of the default bank: {', '.join(f'{width:.3g}' for width in make_widths(0.01, 30, 0.9))} d.\n")
    print_table(
        "False alarms",
        ("sampling", "lightcurves", "promised share", "with a detection", "expected", "ratio"),
        false_alarms(quick),
        "{} | {:,} | {:g} | {} | {:g} | {:.2f}",
    )
    print_table(
        "Completeness",
        ("event, width 4 d", "S/N of its own template", "found", "Gaussian integral", "median threshold"),
        completeness(quick),
        "{} | {:g} | {:.3f} | {:.3f} | {:.2f}",
    )
    print_table(
        "Amplitude and time at S/N 15",
        ("event", "number", "amplitude over truth", "pull", "time less truth [d]", "width [d]"),
        bias(quick),
        "{} | {} | {:.3f} | {:+.2f} | {:+.3f} | {:.2f}",
    )
    print_table("Speed, one core", ("lightcurves of", "M epochs/s"), speed(), "{} | {:.2f}")


if __name__ == "__main__":
    main()
