"""Check a survey's own reduction: each epoch must be in a lightcurve, or be left out and counted."""

import numpy as np

from vo_lib.contracts import refuse, shown
from vo_lib.reduce import Reduction

__all__ = ["check_reduction"]


def check_reduction(observatory, reduction, n_epochs):
    """Check the value that a survey's ``reduce_photometry`` returned, and return it.

    Parameters
    ----------
    observatory : VirtualObservatory
        The survey.
    reduction : Reduction
        The returned value.
    n_epochs : int
        Number of raw epochs that were passed to it.

    Returns
    -------
    Reduction

    Raises
    ------
    PluginError
        If it is not a `Reduction`, if epochs were lost or duplicated, or if there is a filter that the survey does not
        declare, which histograms would count among others.
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
