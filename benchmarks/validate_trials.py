"""Measure false alarms of the matched filter relative to those promised, however rare, and for many samplings.

    python benchmarks/validate_trials.py [--quick]

The probability that any of many Gaussian scores exceeds a level is the sum over the scores of the probability that this
one does, times the mean of 1 / N given that it does, where N is the number of scores that do (importance sampling:
Naiman & Priebe 2001, J. Comput. Graph. Stat. 10, 296; Adler, Blanchet & Liu 2012, Ann. Appl. Probab. 22, 1167). So a
few draws of noise in which a given template exceeds the level tell how rarely any does. Scores are linear in the
fluxes, so lightcurves that each have a flux at a single epoch give the templates. Everything is seeded.
"""

import argparse

import numpy as np
from scipy.stats import norm

from vo_lib.batch import LightcurveBatch
from vo_lib.search.matched_filter import Bank
from vo_lib.search.template_bank import make_kernels, make_widths
from vo_lib.search.template_cells import make_blocks
from vo_lib.search.template_overlaps import follow
from vo_lib.search.template_scan import compare
from vo_lib.segments import starts_from_counts

SHAPES, OVERLAP, PROMISED = ("flare", "gaussian", "dip"), 0.9, (1e-2, 1e-4)


def nights(random, number, step=3):
    """Return times of nights, every `step` nights on average, with a pause of 150 nights after each 210 [d]."""
    night = np.cumsum(random.geometric(1 / step, number))
    return night + 150 * (night // 210) + random.uniform(-0.15, 0.15, number)


def visits(random, number, steps):
    """Return times with several visits in each such night, at intervals in the range `steps` [d]."""
    after = np.cumsum(random.uniform(*steps, (number, len(steps[0]))), axis=1)
    return (nights(random, number)[:, None] + np.pad(after, [(0, 0), (1, 0)])).ravel()


def two_bands(random):
    """Return times of two bands together, one every third and one every fifth night on average, in order [d]."""
    return np.sort(np.concatenate([nights(random, 60), nights(random, 40, 5)]))


def with_gap(random):
    """Return times of 1000 epochs, 10 min apart, with a gap of 1.2 d [d]."""
    return np.arange(1000) / 144 + 1.2 * (np.arange(1000) >= 500)


# Sampling -> function that makes the times of a lightcurve, and number of lightcurves.
SAMPLINGS = {
    "nights and seasons, 100 epochs": (lambda random: nights(random, 100), 60),
    "nights and seasons, 1,000 epochs": (lambda random: nights(random, 1000), 4),
    "two a night, 60 epochs": (lambda random: visits(random, 30, ([0.01], [0.06])), 60),
    "three a night, 90 epochs": (lambda random: visits(random, 30, ([0.01, 0.01], [0.05, 0.05])), 40),
    "eight a night, 80 epochs": (lambda random: visits(random, 10, ([0.0] * 7, [0.08] * 7)), 40),
    "pairs an hour apart each second night, 300 epochs": (
        lambda random: (np.arange(150)[:, None] * 2 + random.uniform(-0.15, 0.15, (150, 1)) + [0, 1 / 24]).ravel(),
        6,
    ),
    "two bands, 100 epochs": (two_bands, 40),
    "few, 15 epochs": (lambda random: nights(random, 15, 12), 200),
    "every 2 min, 720 epochs": (lambda random: np.arange(720) / 720, 2),
    "every 10 min with a gap, 1,000 epochs": (with_gap, 2),
}


def templates_of(time, noise, bank, widths):
    """Return the templates of a lightcurve, of shape (n, n_epochs), the number of signs of each, and the trials."""
    number = len(time)
    batch = LightcurveBatch({"mjd": np.tile(time, number)}, starts_from_counts(np.full(number, number)), {})
    blocks = list(make_blocks(batch, np.ones(number**2, bool), np.eye(number).ravel(), np.tile(noise, number)))
    every, flux = [], [np.concatenate([block.single_scores() for block in blocks]).reshape(number, number)]
    scans = [[] for _ in blocks]
    for scan, block in zip(scans, blocks, strict=True):
        cells = block.cells()
        for width in widths:
            cells, scores = compare(cells, width, bank.matrices)
            if scores is not None:
                scan.append(scores)
    signs = [np.full(number, bank.n_signs)]
    for scores in zip(*scans, strict=True):
        one = np.flatnonzero(scores[0].cells.lightcurve == 0)
        for kernel, shape in enumerate(bank.kernels):
            seen = scores[0].seen[kernel][one]
            flux.append(np.concatenate([each.score[kernel] for each in scores]).reshape(number, -1)[:, seen])
            signs.append(np.full(seen.sum(), len(shape.kinds)))
        every.append(scores[0].take(one))
    trials = np.full(2, float(bank.n_signs * number))
    for scores, overlaps in follow(every, np.arange(number), blocks[0].cells().weight[:number], bank.tables):
        trials += bank.counter.count(scores, overlaps).sum(axis=1)
    return np.hstack(flux).T, np.concatenate(signs), trials


def passing(templates, signs, level, draws, random):
    """Compute the probability that noise exceeds a level in any template, with positive sign or with both signs."""
    chosen = random.choice(len(templates), draws, p=signs / signs.sum())
    score = norm.isf(random.uniform(size=draws) * norm.sf(level))
    own, noise = templates[chosen], random.normal(size=(draws, templates.shape[1]))
    missing = score - np.einsum("ij,ij->i", noise, own)
    noise += own * (missing / np.einsum("ij,ij->i", own, own))[:, None]
    # For a template with two signs, either may be the one that exceeds the level.
    noise[(signs[chosen] > 1) & (random.uniform(size=draws) < 0.5)] *= -1
    scores = noise @ templates.T
    number = np.count_nonzero((scores > level) | ((scores < -level) & (signs > 1)), axis=1)
    return norm.sf(level) * signs.sum() * np.mean(1 / np.maximum(number, 1))


def ratios(make_times, number, promised, *, draws=1000, seed=0):
    """Return false alarms relative to those promised, for lightcurves whose errors differ by a factor of up to 4."""
    bank, widths = Bank(make_kernels(SHAPES), OVERLAP, promised), make_widths(0.01, 30, OVERLAP).tolist()
    found = []
    for index in range(number):
        random = np.random.default_rng((seed, index))
        time = make_times(random)
        templates, signs, trials = templates_of(time - time[0], random.uniform(5, 20, len(time)), bank, widths)
        level = bank.thresholds(trials[:, None])[0]
        found.append(passing(templates, signs, level, draws, random) / promised)
    return np.array(found)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the lightcurves")
    quick = parser.parse_args().quick
    print(f"| sampling | {' | '.join(f'promised {promised:g}' for promised in PROMISED)} |\n| --- | --- | --- |")
    for name, (make_times, number) in SAMPLINGS.items():
        number = max(number // (10 if quick else 1), 1)
        cells = []
        for promised in PROMISED:
            found = ratios(make_times, number, promised, draws=8000 if number < 10 else 1000)
            cells.append(f"{found.mean():.3f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
