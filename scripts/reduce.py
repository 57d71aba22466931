"""Reduce one bin: turn the raw epochs of one survey into lightcurves with standard columns."""

import logging
import math
from collections import Counter

from vo_lib.contracts import call
from vo_lib.downloads.manifest import read_manifest
from vo_lib.plugins import load_class
from vo_lib.raw import read_blocks
from vo_lib.reduce import write_reduced
from vo_lib.reduction.contract import check_reduction

log = logging.getLogger("vo_lib")


def main(raw, manifest, reduced, *, params):
    """Make the reduced file of a bin from the raw archive and the project's manifest, block by block."""
    _, sources = read_manifest(manifest)
    observatory = load_class(params["class"])(**params["survey"])
    # Calibrators compare all sources of a bin, so they need all in one block.
    blocks = {"most": math.inf} if params["reduce"].get("calibrators") else {}
    number = Counter()
    provenance = params["provenance"]
    metadata = {"process": "reduce", "obs": params["observatory"], "bin": params["bin"], "provenance": provenance["id"]}
    metadata |= {name: provenance[name] for name in ("parameters", "code")}
    reductions = (
        _reduce(observatory, part, data, counts, params["reduce"], number)
        for part, data, counts in read_blocks(raw, sources, observatory.dtype, **blocks)
    )
    write_reduced(reduced, reductions, metadata)
    log.info(
        "%d epochs of %d sources in %d lightcurves, %d left out",
        number["epochs"],
        len(sources["name"]),
        number["lightcurves"],
        number["left out"],
    )


def _reduce(observatory, sources, data, counts, options, number):
    """Reduce a block of sources, and add its counts to `number`."""
    answer = call(observatory, "reduce_photometry", sources, data, counts, **options)
    reduction = check_reduction(observatory, answer, len(data))
    left_out = int(reduction.left_out["n_epochs"].sum())
    number.update({"epochs": len(data), "lightcurves": reduction.batch.n_lightcurves, "left out": left_out})
    return reduction


if __name__ == "__main__":
    from _job import run_job

    run_job(main, "raw", "manifest", "reduced")
