"""A simulated survey whose sources flare at a known rate, independent of the simulator but for the shapes of events."""

from dataclasses import dataclass

import numpy as np
from make_batch import make_batch, sources_of

from vo_lib.analysis import Analysis
from vo_lib.config import complete, load_schema
from vo_lib.counts.false_detections import expected_noise
from vo_lib.finder import baseline
from vo_lib.profiles import PROFILES
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.rates import TABLES, measure_rates

SPAN_DAYS, MARGIN_DAYS = 250.0, 60.0
SIMULATOR = {
    "kinds": ("flare",),
    "snr_min": 3.0,
    "snr_max": 30.0,
    "width_min_days": 0.1,
    "width_max_days": 3.0,
    "num_injections": 2,
}


@dataclass(frozen=True)
class Survey:
    """Bins of a survey, each as its sources and their lightcurves, with the rate [1/day] of events and their truth."""

    bins: list
    rate: float
    events: dict
    seed: int


def make_survey(seed, *, n_sources=200, n_bins=3, n_epochs=150, rate=0.0025):
    """Make a survey: epochs at random nights, errors that differ, events at Poisson times."""
    rng = np.random.default_rng(seed)
    bins, events = [], []
    for number in range(n_bins):
        names = [f"s{number}_{index}" for index in range(n_sources)]
        quiet = _quiet(rng, make_batch([n_epochs] * n_sources, seed=rng.integers(2**32), sources=names))
        truth = _draw(rng, quiet, rate)
        events.append(truth)
        batch = _shine(rng, quiet, truth)
        bins.append((sources_of(batch), batch))
    return Survey(bins, rate, {name: np.concatenate([truth[name] for truth in events]) for name in events[0]}, seed)


def _quiet(rng, batch):
    """Lightcurves without events."""
    shape = batch.n_lightcurves, -1
    mjd = 58000 + np.sort(rng.uniform(0, SPAN_DAYS, batch.n_epochs).reshape(shape), axis=1)
    level = np.repeat(np.exp(rng.uniform(5, 9, batch.n_lightcurves)), batch.counts)
    error = level * 0.01 * np.exp(rng.normal(0, 0.2, batch.n_epochs))
    flux = rng.normal(level, error)
    columns = {"mjd": mjd.ravel(), "bmjd_tdb": mjd.ravel(), "flux": flux, "fluxerr": error}
    return batch.with_columns(**columns, mag=23.9 - 2.5 * np.log10(flux), magerr=1.0857 * error / flux)


def _draw(rng, batch, rate):
    """Events of all lightcurves, with the law of the simulator."""
    number = rng.poisson(rate * (SPAN_DAYS + 2 * MARGIN_DAYS), batch.n_lightcurves)
    where = np.repeat(np.arange(batch.n_lightcurves), number)
    rms = baseline(batch, np.ones(batch.n_epochs, bool))[1]
    error = np.median(batch.columns["fluxerr"].reshape(batch.n_lightcurves, -1), axis=1)
    snr = SIMULATOR["snr_min"] * (SIMULATOR["snr_max"] / SIMULATOR["snr_min"]) ** rng.random(len(where))
    width = SIMULATOR["width_min_days"] * 30 ** rng.random(len(where))
    peak = 58000 + rng.uniform(-MARGIN_DAYS, SPAN_DAYS + MARGIN_DAYS, len(where))
    return {"lightcurve": where, "peak_mjd": peak, "width": width, "amplitude": snr * np.maximum(rms, error)[where]}


def _shine(rng, batch, truth):
    """Lightcurves with the light of their events and its photon noise."""
    added = np.zeros(batch.n_epochs)
    for where, peak, width, amplitude in zip(*truth.values(), strict=True):
        part = slice(batch.starts[where], batch.starts[where + 1])
        added[part] += amplitude * PROFILES["flare"].shape((batch.columns["mjd"][part] - peak) / width)
    flux, error = batch.columns["flux"], batch.columns["fluxerr"]
    extra = error * np.sqrt(added / flux)
    flux, error = flux + added + extra * rng.normal(size=len(flux)), np.hypot(error, extra)
    return batch.with_columns(flux=flux, fluxerr=error, mag=23.9 - 2.5 * np.log10(flux), magerr=1.0857 * error / flux)


def analyse_survey(survey, *, finder=None, **options):
    """Tables of all bins of a survey, analysed bin by bin."""
    stages = Analysis(finder=finder, simulator=SIMULATOR | options, seed=survey.seed)
    parts = [stages.analyze_photometry(*part).tables for part in survey.bins]
    return {
        name: {key: np.concatenate([part[name][key] for part in parts]) for key in parts[0][name]} for name in TABLES
    }


def finder_section(**options):
    """Section ``finder`` of a configuration, with its defaults."""
    config = {"project": "x", "catalog": {"file": "x"}, "observatories": {"demo": {}}, "finder": options}
    return complete(config, load_schema(PACKAGE_ROOT / "workflow/schemas/config.schema.yaml"))["finder"]


def rate_of(survey, *, finder=None, **options):
    """The one row of rates of a survey, searched with some options of the section ``finder``."""
    section = finder_section(**finder or {})
    tables = analyse_survey(survey, finder=section, **options)
    table = measure_rates([tables], kinds=dict.fromkeys(SIMULATOR["kinds"], 1), **expected_noise(section))
    return {name: values[0] for name, values in table.items()}
