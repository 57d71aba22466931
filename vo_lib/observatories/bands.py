"""Tables with a row per visit and a column per band, made into tables with a row per band.

Lightcurves have one filter each, so an epoch is one measurement in one band. Nothing is computed
here: values move from a column such as ``bp_flux`` to the column ``flux`` of the row of that band.
"""

import numpy as np

__all__ = ["split_bands"]


def split_bands(table, columns, bands):
    """Give each band of each row a row of its own.

    Parameters
    ----------
    table : ndarray, shape (n_visits,)
        Structured array as it was sent.
    columns : dict of str to tuple
        Columns to give, as those of a survey, with one named ``band``; texts may be wider.
    bands : dict of str to dict
        Columns of `table` by the names they get, for each band; those without an entry have the
        same name in both and are repeated.

    Returns
    -------
    ndarray, shape (n_visits * n_bands,)
        Visits in their order, bands of a visit one after the other; zero rows without visits.
    """
    kinds = []
    for name, (kind, _, _) in columns.items():
        sources = [table.dtype[own.get(name, name)] for own in bands.values() if name != "band"]
        kinds.append((name, np.result_type(np.dtype(kind), *sources) if np.dtype(kind).kind == "S" else kind))
    data = np.zeros(len(table) * len(bands), kinds)
    for place, (band, own) in enumerate(bands.items()):
        part = data[place :: len(bands)]
        part["band"] = band.encode()
        for name in columns.keys() - {"band"}:
            part[name] = table[own.get(name, name)]
    return data
