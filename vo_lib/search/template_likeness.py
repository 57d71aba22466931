"""How alike the templates of a bank are on evenly spaced epochs.

Templates of different shapes see much the same noise; how much depends on the epochs around them. The correlation of a
template with the epoch of its peak alone, `own`, grows with the distance between epochs and stands for that distance
where the sampling is irregular. Epochs are an endless series or two alone; a template that sees epochs on one side only
is like those of two.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from vo_lib.search.template_bank import CELLS, ratio_of

__all__ = ["Likeness", "likeness"]

# Distances of epochs [width], from that of cells to where each template sees only its own epoch.
_DISTANCES = np.geomspace(1 / CELLS, 4.0, 48)
# Epochs around that of the peak, and those at which another shape may peak: an endless series, and two epochs alone.
_ENDLESS = ((np.arange(-32, 33), (-2, -1, 0, 1, 2)),)
_TWO = ((np.array([0, 1]), (0, 1)), (np.array([-1, 0]), (-1, 0)))


@dataclass(frozen=True)
class Likeness:
    """Correlations of the templates of a kernel, by the weight of the epoch of the peak.

    Parameters
    ----------
    own : ndarray of float, shape (n,)
        Correlation with the template of the epoch of the peak alone, increasing to 1.
    shape : dict of int to ndarray of float, shape (n,)
        Greatest correlation with a template of an earlier kernel of the same sign, by sign; no entry without one.
    """

    own: np.ndarray
    shape: dict


def likeness(kernels, overlap):
    """Compute how alike the templates of each kernel are to others.

    Parameters
    ----------
    kernels : sequence of vo_lib.search.template_bank.Kernel
        Shapes.
    overlap : float
        Correlation up to which two templates count as different.

    Returns
    -------
    list of tuple of Likeness
        In the order of the kernels, each for an endless series of epochs and for two epochs alone.
    """
    kernels = [kernel.in_cells for kernel in kernels]
    return [
        tuple(_likeness(kernel, kernels[:place], overlap, samplings) for samplings in (_ENDLESS, _TWO))
        for place, kernel in enumerate(kernels)
    ]


def _likeness(kernel, earlier, overlap, samplings):
    """Compute the likeness of a kernel to earlier ones, averaged over samplings."""
    templates = [kernel(epochs[:, None] * _DISTANCES) for epochs, _ in samplings]
    own = np.mean([1 / np.sqrt(np.square(template).sum(axis=0)) for template in templates], axis=0)
    shape = {}
    for sign in kernel.kinds:
        if others := [other for other in earlier if sign in other.kinds]:
            each = zip(templates, samplings, strict=True)
            shape[sign] = np.mean([_greatest(template, others, overlap, *where) for template, where in each], axis=0)
    return Likeness(np.maximum.accumulate(own), shape)


def _greatest(template, kernels, overlap, epochs, peaks):
    """Greatest correlation with templates of kernels, of the same or the next width, that peak at nearby epochs."""
    ratio, result = ratio_of(overlap), np.zeros(template.shape[1])
    for kernel, stretch, peak in product(kernels, (1 / ratio, 1.0, ratio), peaks):
        other = kernel((epochs[:, None] - peak) * _DISTANCES * stretch)
        # One that is as good as a single epoch does not count as a template.
        several = overlap**2 * np.square(other).sum(axis=0) > 1
        result = np.maximum(result, several * _correlate(template, other))
    return result


def _correlate(first, second):
    """Correlate the columns of two arrays."""
    return np.sum(first * second, axis=0) / np.sqrt(np.square(first).sum(axis=0) * np.square(second).sum(axis=0))
