"""Reduce one bin: raw epochs of one survey become lightcurves with standard columns."""

import logging

from vo_lib.contracts import call
from vo_lib.manifest import read_manifest
from vo_lib.plugins import load_class
from vo_lib.raw import read_epochs
from vo_lib.reduce import write_reduced
from vo_lib.reduction_contract import check_reduction

log = logging.getLogger("vo_lib")


def main(raw, manifest, reduced, *, params):
    """Make the reduced file of a bin from the raw archive and the project's manifest."""
    _, sources = read_manifest(manifest)
    observatory = load_class(params["class"])(**params["survey"])
    data, counts = read_epochs(raw, sources, observatory.dtype)
    answer = call(observatory, "reduce_photometry", sources, data, counts, **params["reduce"])
    reduction = check_reduction(observatory, answer, len(data))
    metadata = {"process": "reduce", "obs": params["observatory"], "bin": params["bin"]} | _identity(
        params["provenance"]
    )
    write_reduced(reduced, reduction, metadata)
    log.info(
        "%d epochs of %d sources in %d lightcurves, %d left out",
        len(data),
        len(counts),
        reduction.batch.n_lightcurves,
        reduction.left_out["n_epochs"].sum(),
    )


def _identity(provenance):
    """What the file says of its provenance."""
    return {"provenance": provenance["id"], "parameters": provenance["parameters"], "code": provenance["code"]}


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "raw", "manifest", "reduced")
