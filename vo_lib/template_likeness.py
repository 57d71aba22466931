"""How alike the templates of a bank are that see epochs at equal distances.

Neighbouring templates see much the same noise; how much depends on the epochs between them. Templates on a regular
sampling have a correlation with the epoch of their peak alone that grows with the distance of the epochs; it
stands for that distance where the sampling is irregular.
"""

from dataclasses import dataclass

import numpy as np

from vo_lib.template_bank import CELLS, STEPS

__all__ = ["Likeness", "lag_correlation", "likeness"]

# Distances of epochs [width], from that of cells to where each template sees its own epoch only.
_DISTANCES = np.geomspace(1 / CELLS, 4.0, 48)
# Epochs before and after that of the peak, and how far the peaks of two shapes may be apart.
_EPOCHS, _APART = np.arange(-32, 33)[:, None], (-2, -1, 0, 1, 2)


@dataclass(frozen=True)
class Likeness:
    """Correlations of the templates of a kernel, by how much their peak's epoch weighs.

    Parameters
    ----------
    own : ndarray of float, shape (n,)
        Correlation with the template of the epoch of the peak alone, increasing to 1.
    shape : dict of int to ndarray of float, shape (n,)
        By sign, greatest correlation with a template of an earlier kernel of the sign; none without one.
    """

    own: np.ndarray
    shape: dict


def lag_correlation(kernel):
    """Correlation of templates of one width that peak at successive epochs at equal distances.

    Parameters
    ----------
    kernel : vo_lib.template_bank.Kernel
        Shape.

    Returns
    -------
    ndarray of float, shape (n_lags,)
        For distances of 0, 1, 2, ... steps of the kernel; the last is 0.
    """
    lag = np.arange(1, max(len(kernel.before), len(kernel.after)) + 1) / STEPS
    epochs = np.arange(-4 * STEPS, 4 * STEPS + 1)[:, None]
    # Terms in which no template sees anything are left out in blocks of equal lags.
    result = np.ones(len(lag) + 1)
    for part in np.array_split(np.arange(len(lag)), 16):
        seen = epochs[np.abs(epochs[:, 0]) <= 4 / lag[part[0]]]
        result[part + 1] = _correlate(kernel(seen * lag[part]), kernel((seen - 1) * lag[part]))
    result[-1] = 0.0
    return result


def likeness(kernels, ratio):
    """How alike the templates of each kernel are to others.

    Parameters
    ----------
    kernels : sequence of vo_lib.template_bank.Kernel
        Shapes.
    ratio : float
        Ratio of neighbouring widths, above 1.

    Returns
    -------
    list of Likeness
        In the order of the kernels.
    """
    result = []
    for place, kernel in enumerate(kernels):
        template = kernel(_EPOCHS * _DISTANCES)
        shape = {
            sign: np.max([_greatest(template, other, ratio) for other in earlier], axis=0)
            for sign in kernel.kinds
            if (earlier := [other for other in kernels[:place] if sign in other.kinds])
        }
        own = np.maximum.accumulate(1 / np.sqrt(np.square(template).sum(axis=0)))
        result.append(Likeness(own, shape))
    return result


def _greatest(template, kernel, ratio):
    """Greatest correlation with templates of a kernel of the same and the next widths that peak at near epochs."""
    near = [
        _correlate(template, kernel((_EPOCHS - apart) * _DISTANCES * stretch))
        for stretch in (1 / ratio, 1.0, ratio)
        for apart in _APART
    ]
    return np.max(near, axis=0)


def _correlate(first, second):
    """Correlation of the columns of two arrays."""
    return np.sum(first * second, axis=0) / np.sqrt(np.square(first).sum(axis=0) * np.square(second).sum(axis=0))
