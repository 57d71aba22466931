"""Download one bin: add missing answers to the raw archive, and list the project's sources in the manifest."""

import logging
from pathlib import Path

from vo_lib.bins import claim_width
from vo_lib.catalogs.snapshot import Snapshot
from vo_lib.download import download_bin, lock_raw, request_parameters
from vo_lib.downloads.fetching import NOT_ASKED
from vo_lib.downloads.manifest import catalog_rows, raw_state, write_manifest
from vo_lib.downloads.outage import Outage
from vo_lib.errors import ServiceError, UserError
from vo_lib.observatories.pace import Pace
from vo_lib.paths import outage_folder, pace_file
from vo_lib.plugins import load_class
from vo_lib.provenance import short_digest
from vo_lib.raw import FAILED
from vo_lib.running.failures import write_failures

log = logging.getLogger("vo_lib")


def main(catalog, raw, manifest, *, params, options):
    """Make the manifest of a bin, and download what its raw archive lacks."""
    obs, bin_name = params["observatory"], params["bin"]
    label = f"{obs} {bin_name}"
    rows = _rows(catalog, obs, bin_name, params["rows"])
    observatory = load_class(params["class"])(**params["survey"], **options["surveys"].get(obs, {}))
    parameters = request_parameters(observatory, params["survey"])
    observatory.pace = Pace(options["per_second"], pace_file(observatory.service or obs.lower()))
    limits = {name: options[name] for name in ("on_change", "max_consecutive_failures")}
    limits["threads"] = options["threads"][obs]
    # For this address of the survey only: other services of the same archive, and mirrors, may still answer.
    address = short_digest([params["class"], params["survey"], options["surveys"].get(obs, {})])
    limits["outage"] = Outage(f"{outage_folder()}/{obs}_{address}")
    claim_width(".", options["width_deg"])
    # Record the state of the archive together with these answers, some of which another project may replace next.
    with lock_raw(Path(raw)):
        entries = download_bin(observatory, rows, Path(raw), parameters=parameters, label=label, **limits)
        state = raw_state(raw)
    header = {name: params[name] for name in ("bin", "generation", "provenance", "rows")}
    kept = ("status", "n_rows", "digest", "reason")
    sources = [row | {name: entry[name] for name in kept} for row, entry in zip(rows, entries, strict=True)]
    failed = {source["name"]: source["reason"] for source in sources if source["status"] == FAILED}
    write_failures(Path(manifest).parts[0], obs, bin_name, failed)
    _check_failures(label, failed, len(sources), options["max_failures_per_bin"])
    header |= {"obs": obs, "parameters": parameters, "raw_file": raw, "raw": state}
    header["kept"] = [entry["name"] for entry in entries if entry["kept"]]
    write_manifest(manifest, header, sources)


def _rows(catalog, obs, bin_name, digest):
    """Read the catalog rows of the bin, which must be those for which the job was planned."""
    snapshot = Snapshot.open(catalog)
    if bin_name not in snapshot.bins or snapshot.bins[bin_name][2] != digest:
        raise UserError(f"the catalog changed while the workflow ran (bin {bin_name}); run snakemake again")
    return catalog_rows(snapshot.rows(bin_name), obs)


def _check_failures(label, failed, n_sources, limit):
    """Raise an error if more sources failed than the configuration allows; all answers are stored already."""
    if len(failed) > limit:
        asked = {name: reason for name, reason in failed.items() if reason != NOT_ASKED}
        name, reason = next(iter((asked or failed).items()))
        down = f", {len(failed) - len(asked)} were not requested because the service is down" if asked != failed else ""
        raise ServiceError(
            f"{label}: {len(asked)} of {n_sources} sources failed{down}; the first is '{name}': {reason}; "
            f"all others are stored, run again to request the rest (download.max_failures_per_bin is {limit})"
        )


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "catalog", "raw", "manifest", options=True)
