"""Measure false alarms, recovered periods, daily aliases and the cost of the search for periods.

    python benchmarks/validate_periods.py [--noise 1000] [--signals 200]

All lightcurves are simulated from fixed seeds, with white noise and the sampling of a ground-based survey (seasons,
weather, a few hours of each night) unless stated otherwise, and are searched by the function that the workflow calls.
"""

import argparse
import math
import time

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.periods.periodic import search_periods
from vo_lib.segments import starts_from_counts

ERROR = 10.0  # uJy
LEVELS = (0.1, 0.03, 0.01)
LIMIT = 1e-3  # greatest false-alarm probability of a period that is reported


def ground_based(number, days, rng):
    """Return times of a survey [days]: eight months of each year, three of five nights, six hours around transit."""
    nights = np.flatnonzero((np.arange(days) % 365 < 240) & (rng.random(days) < 0.6))
    night = rng.choice(nights, number)
    transit = 0.5 - (night % 365 - 120) / 365.25
    return np.sort(night + np.clip(transit + rng.uniform(-0.125, 0.125, number), 0.3, 0.7))


def anytime(number, days, rng):
    """Return uniformly distributed random times [days]."""
    return np.sort(rng.uniform(0, days, number))


def make_bin(number, *, epochs, days, sampling=ground_based, filters=("g",), signal=None, seed=0):
    """Make lightcurves of `number` sources in each filter, with ``signal(index, time)`` added [uJy]."""
    rng = np.random.default_rng(seed)
    parts = [(index, name, 58000 + sampling(epochs, days, rng)) for index in range(number) for name in filters]
    times = np.concatenate([part[2] for part in parts])
    error = ERROR * rng.uniform(0.7, 1.4, len(times))
    flux = 1000 + rng.normal(0, error)
    if signal:
        flux += np.concatenate([signal(index, times) for index, _, times in parts])
    names = {"source": [f"s{index:05d}" for index, *_ in parts], "filter": [name for _, name, _ in parts]}
    table = {name: np.array(values) for name, values in names.items()} | {"obs": np.full(len(parts), "TEST")}
    columns = {"mjd": times, "bmjd_tdb": times, "flux": flux, "fluxerr": error}
    return LightcurveBatch(columns, starts_from_counts(np.full(len(parts), epochs)), table)


def search(batch, *ranges, **options):
    """Search a whole batch; return the table of periods."""
    return search_periods(batch, np.ones(batch.n_epochs, bool), ranges=ranges, **options)


def false_alarms(number):
    """Compute the false-alarm probabilities of lightcurves of noise, by kind of search."""
    small = {"epochs": 150, "days": 400}
    dips = {"methods": ["bls"], "fractions": (0.05, 0.1)}
    joint = search(
        make_bin(number // 2, epochs=60, days=400, filters=("g", "r", "i")), "0.2-20 d", methods=["multiband"]
    )
    scaled = make_bin(number // 2, epochs=60, days=400, filters=("g", "r", "i"))
    factors = np.repeat(np.tile((0.5, 1.0, 2.0), number // 2), 60)
    wrong = search(scaled.with_columns(fluxerr=factors * scaled.columns["fluxerr"]), "0.2-20 d", methods=["multiband"])
    return {
        "sinusoid": search(make_bin(number, **small), "0.2-20 d")["fap"],
        "sinusoid, times at random": search(make_bin(number, **small, sampling=anytime), "0.2-20 d")["fap"],
        "sinusoids in 3 filters": joint["fap"][joint["filter"] == ""],
        "the same, errors 0.5, 1 and 2 of the true ones": wrong["fap"][wrong["filter"] == ""],
        "dip": search(make_bin(number // 2, **small), "2-10 d", **dips)["bls_fap"],
        "dip, times at random": search(make_bin(number // 2, **small, sampling=anytime), "2-10 d", **dips)["bls_fap"],
    }


def print_false_alarms(number):
    """Print the table of the false alarms."""
    found = false_alarms(number)
    print(f"| search | lightcurves | {' | '.join(f'below {level:g}' for level in LEVELS)} |")
    print(f"| --- | --- |{' --- |' * len(LEVELS)}")
    for name, values in found.items():
        errors = [math.sqrt(level * (1 - level) / len(values)) for level in LEVELS]
        cells = [f"{np.mean(values < level):.4f} ± {error:.4f}" for level, error in zip(LEVELS, errors, strict=True)]
        print(f"| {name} | {len(values)} | {' | '.join(cells)} |")


def print_other_noise(number):
    """Print the table of what is found in noise that is not white or not Gaussian."""
    few = {"epochs": 150, "days": 400}
    print("| noise | sinusoids | of these marked | `periodogram` 1 and unmarked | dips |\n|" + " --- |" * 5)
    for name, noise in OTHER_NOISE.items():
        found = search(make_bin(number, **few, signal=noise), "0.2-20 d")
        dips = search(make_bin(number // 2, **few, signal=noise), "2-10 d", methods=["bls"], fractions=(0.05, 0.1))
        low, marked = found["fap"] < 1e-4, (found["alias"] != "") | (found["window_line"] != "")
        unmarked = np.mean((found["periodogram"] == 1) & ~marked)
        cells = f"{low.mean():.3f} | {(marked & low).sum()} of {low.sum()} | {unmarked:.3f}"
        print(f"| {name} | {cells} | {np.mean(dips['bls_fap'] < 1e-4):.2f} |")


def _outliers(part, *signs):
    """Return a signal of outliers of 8 errors on average, in a fraction `part` of the epochs."""

    def signal(index, times):
        rng = np.random.default_rng([1, index])
        off = rng.choice(signs, len(times)) * rng.exponential(8, len(times))
        return ERROR * off * (rng.random(len(times)) < part)

    return signal


def _walk(days):
    """Return a signal that is a damped random walk with the standard deviation of the errors."""

    def signal(index, times):
        rng = np.random.default_rng([2, index])
        values = rng.normal(size=len(times))
        for epoch, memory in enumerate(np.exp(-np.diff(times) / days), 1):
            values[epoch] = memory * values[epoch - 1] + math.sqrt(1 - memory**2) * values[epoch]
        return ERROR * values

    return signal


# Signals that are added to white noise [uJy], as functions of the lightcurve's index and the times.
OTHER_NOISE = {
    "1 % faint outliers": _outliers(0.01, -1),
    "5 % outliers": _outliers(0.05, -1, 1),
    "a walk of 0.2 d": _walk(0.2),
    "a walk of 2 d": _walk(2.0),
    "a walk of 20 d": _walk(20.0),
    "0.3 errors three hours from the meridian": lambda index, times: 0.3 * ERROR * (((times % 1) - 0.5) / 0.125) ** 2,
}


def is_near(frequency, true, days):
    """Return whether frequencies agree to within 1 / span."""
    return np.abs(frequency - true) * days < 1


def is_daily_alias(frequency, true, days):
    """Return whether frequencies differ by one to three cycles per solar or sidereal day."""
    shifts = np.array([sign * k * day for sign in (1, -1) for k in (1, 2, 3) for day in (1, 1.0027379)])
    return is_near(frequency[:, None], np.abs(true[:, None] + shifts), days).any(axis=1)


def print_sinusoids(number, *, epochs=150, days=800):
    """Print the table of recovered sinusoids."""
    print("| amplitude / error | found | right | daily alias | of these marked | right ones marked | period / error |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for ratio in (0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 2.0):
        rng = np.random.default_rng(7)
        true, phase = 1 / np.exp(rng.uniform(np.log(0.25), np.log(15), number)), rng.random(number)

        def signal(index, times, ratio=ratio, true=true, phase=phase):
            return ratio * ERROR * np.cos(2 * np.pi * (true[index] * times + phase[index]))

        table = search(make_bin(number, epochs=epochs, days=days, signal=signal, seed=int(100 * ratio)), "0.2-20 d")
        found = table["fap"] < LIMIT
        right = found & is_near(table["best_frequency"], true, days)
        daily = found & ~right & is_daily_alias(table["best_frequency"], true, days)
        marked = (table["alias"] != "") | (table["window_line"] != "")
        pull = ((table["best_period"] - 1 / true) / table["best_period_err"])[right]
        cells = (ratio, found.mean(), right.sum() / max(found.sum(), 1), daily.sum() / max(found.sum(), 1))
        print(
            f"| {' | '.join(f'{cell:.3g}' for cell in cells)} | {marked[daily].sum()} of {daily.sum()} "
            f"| {marked[right].sum()} of {right.sum()} | {pull.std() if len(pull) > 9 else math.nan:.2f} |"
        )


def print_dips(number, *, epochs=300, days=600, fraction=0.05):
    """Print the table of recovered box-shaped dips."""
    print("| depth / error | expected S/N | found | right | multiple or fraction | depth found / true |")
    print("| --- | --- | --- | --- | --- | --- |")
    for ratio in (1.0, 1.5, 2.0, 3.0, 5.0):
        rng = np.random.default_rng(8)
        true, phase = 1 / np.exp(rng.uniform(np.log(1.1), np.log(3), number)), rng.random(number)

        def signal(index, times, ratio=ratio, true=true, phase=phase):
            return -ratio * ERROR * ((true[index] * times + phase[index]) % 1 < fraction)

        batch = make_bin(number, epochs=epochs, days=days, signal=signal, seed=int(100 * ratio))
        table = search(batch, "1-4 d", methods=["bls"], fractions=(0.03, 0.06))
        found, frequency = table["bls_fap"] < LIMIT, 1 / table["bls_period"]
        right = found & is_near(frequency, true, days)
        multiple = found & np.any(
            [is_near(frequency * a, true * b, days) for a, b in ((1, 2), (2, 1), (1, 3), (3, 1))], axis=0
        )
        depth = np.median(table["bls_depth"][right]) / (ratio * ERROR) if right.any() else math.nan
        expected = (
            ratio
            * math.sqrt(epochs * fraction * (1 - fraction))
            * math.sqrt(np.mean(ERROR**2 / batch.columns["fluxerr"] ** 2))
        )
        shares = [part.sum() / max(found.sum(), 1) for part in (right, multiple)]
        print(f"| {ratio:g} | {expected:.1f} | {found.mean():.3g} | {shares[0]:.3g} | {shares[1]:.3g} | {depth:.2f} |")


def print_cost(number=5, *, epochs=300, days=1000):
    """Print the table of the time per lightcurve."""
    print("| search | frequencies | ms per lightcurve |\n| --- | --- | --- |")
    batch = make_bin(number, epochs=epochs, days=days)
    search(batch.select([0]), "days")
    for name, ranges, options in (
        ("days (1 to 500 d)", ["days"], {}),
        ("hours (1 to 24 h)", ["hours"], {}),
        ("hours and days", ["hours", "days"], {}),
        ("dips, 1 to 10 d", ["1-10 d"], {"methods": ["bls"]}),
    ):
        begin = time.perf_counter()
        search(batch, *ranges, **options)
        milliseconds = (time.perf_counter() - begin) / number * 1e3
        bands = {"days": 1 - 2 / days, "hours": 23.0}
        frequencies = f"{sum(bands[text] for text in ranges) * days * 5:,.0f}" if not options else "several grids"
        print(f"| {name} | {frequencies} | {milliseconds:.0f} |")


def main():
    """Print the figures as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--noise", type=int, default=1000, help="noise lightcurves of each kind")
    parser.add_argument("--signals", type=int, default=200, help="lightcurves of each amplitude or depth")
    arguments = parser.parse_args()
    print_false_alarms(arguments.noise)
    print()
    print_other_noise(arguments.noise // 5)
    print()
    print_sinusoids(arguments.signals)
    print()
    print_dips(arguments.signals // 4)
    print()
    print_cost()


if __name__ == "__main__":
    main()
