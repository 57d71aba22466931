"""Measure false alarms, completeness, bias and speed of the matched filter.

    python benchmarks/validate_matched_filter.py [--quick]

Lightcurves are Gaussian noise with known errors, to which events are added except for the table of false alarms.
Everything is seeded.
"""

import argparse
import math
import time

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.profiles import PROFILES
from vo_lib.search.matched_filter import search_templates
from vo_lib.search.template_bank import make_widths
from vo_lib.segments import spread, starts_from_counts

# Name, epochs of a lightcurve, and number of simulated lightcurves.
SAMPLINGS = (
    ("nights and seasons, 100 epochs", 100, 100_000),
    ("two a night, 60 epochs", 60, 100_000),
    ("few, 15 epochs", 15, 100_000),
    ("every 2 min, 720 epochs", 720, 100_000),
    ("every 2 min, 2,000 epochs", 2000, 30_000),
)
PROMISED = (1e-2, 1e-3)


def times_of(name, epochs, number, random):
    """Return the times of all lightcurves, one after the other [d]."""
    if name.startswith("every 2 min"):
        return np.tile(np.arange(epochs) * 2 / 1440, number)
    per_night = 2 if name.startswith("two") else 1
    step = 1 / 12 if name.startswith("few") else 1 / 3
    nights = np.cumsum(random.geometric(step, (number, epochs // per_night)), axis=1)
    # A season has 210 nights and the pause after it 150.
    nights = nights + 150 * (nights // 210)
    times = np.repeat(nights + random.uniform(-0.15, 0.15, nights.shape), per_night, axis=1)
    if per_night == 2:
        times[:, 1::2] += random.uniform(0.01, 0.06, nights.shape)
    return times.ravel()


def make_noise(name, epochs, number, seed):
    """Return a batch of lightcurves without events, its S/N and its noise."""
    random = np.random.default_rng(seed)
    size = number * epochs
    columns = {"mjd": times_of(name, epochs, number, random), "flux": np.zeros(size)}
    batch = LightcurveBatch(columns, starts_from_counts(np.full(number, epochs)), {})
    return batch, random.normal(size=size), random.uniform(5, 20, size)


def search(batch, snr, noise, **options):
    """Return the candidates in all epochs."""
    return search_templates(batch, np.ones(batch.n_epochs, bool), snr, noise, **options)


def false_alarms(quick):
    """Yield rows of the promised and measured fractions of lightcurves with a detection."""
    for name, epochs, number in SAMPLINGS:
        number //= 10 if quick else 1
        passed = dict.fromkeys(PROMISED, 0)
        at_once = min(10_000, 7_200_000 // epochs)
        for seed, step in enumerate(range(0, number, at_once)):
            noise = make_noise(name, epochs, min(at_once, number - step), seed)
            for promised in PROMISED:
                passed[promised] += len(np.unique(search(*noise, false_alarms=promised)["lightcurve"]))
        for promised, found in passed.items():
            expected = promised * number
            yield name, number, promised, found, expected, found / expected, 1 / math.sqrt(expected)


# Profiles of events that the default bank lacks, and their signs; among them a sudden rise with exponential decay and a
# trapezoid with a long ingress.
OTHERS = {
    "sudden rise": (lambda x: np.where(x < 0, np.exp(14 * np.minimum(x, 0)), np.exp(-0.73 * np.maximum(x, 0))), 1),
    "microlens": (PROFILES["microlens"].shape, 1),
    "trapezoid": (lambda x: np.clip((0.85 - np.abs(x)) / 0.7, 0, 1), -1),
    "eclipse": (PROFILES["eclipse"].shape, -1),
    "box": (PROFILES["box"].shape, 1),
}


def with_events(kind, strength, seed, *, sampling=0, number=2000, epochs=100, width=4.0):
    """Return noise with an event in each lightcurve, whose own template would have the mean S/N `strength`."""
    batch, snr, noise = make_noise(SAMPLINGS[sampling][0], epochs, number, seed)
    mjd, starts = batch.columns["mjd"], batch.starts
    middle = mjd[starts[:-1] + epochs // 2]
    peak = middle + width / 4 * np.random.default_rng(seed + 1).uniform(-1, 1, number)
    profile, sign = OTHERS[kind] if kind in OTHERS else (PROFILES[kind].shape, PROFILES[kind].sign)
    shape = profile((mjd - spread(peak, starts)) / spread(np.full(number, width), starts)) / noise
    # The baseline is fitted too, so only what is left of the template after subtracting its mean counts.
    total, mean = np.add.reduceat(1 / noise**2, starts[:-1]), np.add.reduceat(shape / noise, starts[:-1])
    norm = np.sqrt(np.add.reduceat(shape**2, starts[:-1]) - mean**2 / total)
    scale = sign * strength / norm
    event = shape * spread(scale, starts)
    return (batch, snr + event, noise), scale, peak


def loss(quick):
    """Yield rows of the best score of the bank's templates relative to the S/N in the event's own template."""
    for sampling, epochs, widths in ((0, 300, (4, 30)), (3, 720, (0.02, 0.2))):
        for kind in ("gaussian", "flare", "dip"):
            number = 100 if quick else 1000
            options = {"sampling": sampling, "number": number, "epochs": epochs, "width": np.geomspace(*widths, number)}
            (batch, snr, noise), *_ = with_events(kind, 10, 3, **options)
            event = snr - make_noise(SAMPLINGS[sampling][0], epochs, number, 3)[1]
            best = search(batch, event, noise)["score"] / 10
            yield SAMPLINGS[sampling][0].split(",")[0], kind, *widths, np.mean(best), np.quantile(best, 0.05)


def completeness(quick):
    """Yield rows of the fraction of events that is found, and that expected for the event's own template."""
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
    """Yield rows of the amplitude's ratio and pull and the error of the time, for events at S/N 15."""
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


def others(quick):
    """Yield rows of the fraction of events of other shapes that are one detection, and of their amplitudes."""
    number = 100 if quick else 1000
    for sampling, epochs, widths in ((0, 300, (4, 30)), (3, 720, (0.02, 0.2))):
        for kind in OTHERS:
            for strength in (10.0, 20.0, 50.0, 100.0, 200.0):
                options = {"sampling": sampling, "number": number, "epochs": epochs}
                data, scale, _ = with_events(kind, strength, 5, width=np.geomspace(*widths, number), **options)
                found = search(*data)
                of_sign = found["sign"] == OTHERS[kind][1]
                one = np.bincount(found["lightcurve"], minlength=number) == 1
                right, ratio = scale[found["lightcurve"]], found["amplitude"] / scale[found["lightcurve"]]
                pull = np.abs((found["amplitude"] - right) / found["amplitude_err"])[of_sign]
                name = SAMPLINGS[sampling][0].split(",")[0]
                yield name, kind, strength, np.mean(one), np.median(ratio[of_sign]), np.quantile(pull, 0.68)


def speed():
    """Yield rows of the speed [million epochs/s]."""
    for epochs, number in ((100, 5_000), (300, 2_000), (20_000, 30)):
        sampling = 3 if epochs > 10_000 else 0
        noise = make_noise(SAMPLINGS[sampling][0], epochs, number, 3)
        width = 0.1 if sampling else 10.0
        events = with_events("flare", 15.0, 3, sampling=sampling, number=number, epochs=epochs, width=width)[0]
        yield f"{epochs:,} epochs", *(epochs * number / _cpu(data) / 1e6 for data in (noise, events))


def _cpu(data):
    """Shortest CPU time of five searches [s]."""
    spent = []
    for _ in range(5):
        begin = time.process_time()
        search(*data)
        spent.append(time.process_time() - begin)
    return min(spent)


def print_table(title, header, rows, form):
    """Print a table as Markdown."""
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
        "{} | {:,} | {:g} | {} | {:g} | {:.2f} ± {:.2f}",
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
    print_table(
        "Score without noise over the S/N of the event's own template",
        ("sampling", "event", "widths [d]", "mean", "exceeded by 95 %"),
        loss(quick),
        "{} | {} | {:g} to {:g} | {:.3f} | {:.3f}",
    )
    print_table(
        "Events of other shapes than those of the bank",
        ("sampling", "event", "S/N of its own template", "one detection", "amplitude over truth", "pull of 68 %"),
        others(quick),
        "{} | {} | {:g} | {:.3f} | {:.3f} | {:.2f}",
    )
    print_table(
        "Speed, CPU time of one core",
        ("lightcurves of", "M epochs/s of noise", "M epochs/s with a flare in each"),
        speed(),
        "{} | {:.2f} | {:.2f}",
    )


if __name__ == "__main__":
    main()
