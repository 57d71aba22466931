"""Colours of sources: differences between their magnitudes in two filters."""

import re
from itertools import chain, combinations

import numpy as np

from vo_lib.errors import ConfigError

__all__ = ["color_columns", "color_pairs", "subtract"]


def color_pairs(filters, colors=None):
    """Return the pairs of filters that colours are computed from.

    Parameters
    ----------
    filters : dict of str to sequence of str
        Filters of each observatory, by convention in order of wavelength.
    colors : sequence of pair of str, optional
        Pairs to use; by default all pairs of each observatory.

    Returns
    -------
    list of tuple of str
        Without duplicates; no pairs for observatories with one filter.
    """
    pairs = chain.from_iterable(combinations(names, 2) for names in filters.values()) if colors is None else colors
    return list(dict.fromkeys(map(tuple, pairs)))


def color_columns(colors):
    """Describe the columns of colours: ``color_ztf_g_ztf_r`` and ``color_ztf_g_ztf_r_err`` for ztf-g and ztf-r.

    Parameters
    ----------
    colors : sequence of pair of str
        Filters, by convention the bluer first.

    Returns
    -------
    dict of str to tuple
        Type, unit and meaning of each column.

    Raises
    ------
    ConfigError
        If two pairs share a column name, in which ``_`` replaces all but letters and digits.
    """
    columns = {}
    for blue, red in colors:
        name = re.sub(r"\W", "_", f"color_{blue}_{red}")
        if columns.keys() & {name, f"{name}_err"}:
            raise ConfigError(
                f"configuration: properties.colors: '{blue}' minus '{red}' and another pair would both be the column "
                f"{name}; remove one of the two"
            )
        columns[name] = ("f8", "mag", f"{blue} less {red}, AB magnitudes of the median fluxes")
        columns[f"{name}_err"] = ("f8", "mag", "error of that colour")
    return columns


def subtract(magnitudes, colors):
    """Compute colours and their errors.

    Parameters
    ----------
    magnitudes : dict of str to pair of ndarray of float, each of shape (n_sources,)
        AB magnitudes and their errors in each filter of the pairs [mag]; NaN where unknown.
    colors : sequence of pair of str
        See `color_pairs`.

    Returns
    -------
    dict of str to ndarray of float, each of shape (n_sources,)
        See `color_columns`; NaN where a filter has no magnitude. Errors are added in quadrature.
    """
    values = []
    for (mag, error), (other, other_error) in ((magnitudes[blue], magnitudes[red]) for blue, red in colors):
        values += [mag - other, np.hypot(error, other_error)]
    return dict(zip(color_columns(colors), values, strict=True))
