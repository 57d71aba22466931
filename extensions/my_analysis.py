"""Find the smoothing that describes a source best: an example of an analysis of your own.

    analysis:
      class: extensions.my_analysis:NewAnalysis
      kwargs: {num_kernels: 20, snr_threshold: 8.5}

A lightcurve is smoothed with Gaussian kernels of several widths. The best kernel predicts each epoch from the others
with the smallest mean squared error (leave-one-out cross-validation). For a constant source, no kernel is better than
the mean; a variable one is predicted best by a kernel of its time scale. ``snr_threshold`` is passed to the finder.
"""

from typing import ClassVar

import numpy as np

from vo_lib.analysis import Analysis

__all__ = ["NewAnalysis", "prediction_errors"]


class NewAnalysis(Analysis):
    """Analysis that adds the best smoothing of each source to the properties.

    Parameters
    ----------
    num_kernels : int, optional
        Number of kernels, with widths from 0.1 to 1000 days.
    **options
        See `vo_lib.analysis.Analysis`.
    """

    columns: ClassVar[dict] = {
        "kernel_days": ("f8", "d", "standard deviation of the Gaussian kernel that predicts epochs best"),
        "kernel_gain": ("f8", "", "1 - its mean squared error over that of the mean of the other epochs"),
    }

    def __init__(self, *, num_kernels=5, **options):
        if num_kernels < 1:
            raise ValueError(f"num_kernels must be 1 or more, got {num_kernels}")
        super().__init__(**options)
        self.widths = np.geomspace(0.1, 1000.0, num_kernels)

    def per_source(self, source, lightcurves):
        """Return the best kernel of the lightcurve with the most good epochs; NaN if it has fewer than 3."""
        good = [frame[frame["qflag"] == 0] for frame in lightcurves]
        best = max(good, key=len, default=())
        if len(best) < 3:
            return {"kernel_days": np.nan, "kernel_gain": np.nan}
        time, flux = best["mjd"].to_numpy(), best["flux"].to_numpy()
        errors = prediction_errors(time, flux, np.append(self.widths, np.inf))
        first = int(np.argmin(errors[:-1]))
        return {"kernel_days": float(self.widths[first]), "kernel_gain": float(1 - errors[first] / errors[-1])}


def prediction_errors(time, flux, widths):
    """Compute the mean squared error of predicting each epoch from the others, for each width of the kernel.

    Parameters
    ----------
    time, flux : ndarray of float, shape (n_epochs,)
        A lightcurve [days, any unit].
    widths : ndarray of float, shape (n_widths,)
        Standard deviations [days]; infinity stands for the mean of the other epochs.

    Returns
    -------
    ndarray of float, shape (n_widths,)
        An epoch without neighbours within reach of the kernel is predicted by the nearest epoch.
    """
    distance = np.abs(time[:, None] - time)
    np.fill_diagonal(distance, np.inf)
    nearest = distance.min(axis=1, keepdims=True)
    errors = []
    for width in widths:
        weight = np.exp((nearest**2 - distance**2) / (2 * width**2)) if np.isfinite(width) else np.isfinite(distance)
        errors.append(np.mean((flux - weight @ flux / weight.sum(axis=1)) ** 2))
    return np.array(errors)
