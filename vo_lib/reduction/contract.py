"""What is expected of a survey's own way to reduce: each epoch in a lightcurve, or left out and counted."""

import numpy as np

from vo_lib.contracts import refuse, shown
from vo_lib.reduce import Reduction

__all__ = ["check_reduction"]


def check_reduction(observatory, reduction, n_epochs):
    """Give what ``reduce_photometry`` of a survey returned, if each epoch is in a lightcurve or is left out.

    Parameters
    ----------
    observatory : VirtualObservatory
        The survey.
    reduction : Reduction
        What it returned.
    n_epochs : int
        Raw epochs that it was given.

    Returns
    -------
    Reduction

    Raises
    ------
    PluginError
        For anything else, for epochs that were lost or doubled, and for a filter that the survey does not declare,
        which histograms would count among others.
    """
    if not isinstance(reduction, Reduction):
        refuse(observatory, "reduce_photometry", "a vo_lib.reduce.Reduction", shown(reduction))
    kept, left = reduction.batch.n_epochs, int(np.sum(reduction.left_out["n_epochs"]))
    if kept + left != n_epochs:
        got = f"{kept} in lightcurves and {left} in left_out"
        refuse(observatory, "reduce_photometry", f"each of {n_epochs} epochs once", got)
    if unknown := sorted(set(reduction.batch.table["filter"].tolist()) - set(observatory.filters)):
        known = ", ".join(observatory.filters) or "none"
        refuse(observatory, "standardise", f"filters of the attribute filters ({known})", f"'{unknown[0]}'")
    return reduction
