"""Convert tables with a row per visit and a column per band to tables with a row per visit and band.

A lightcurve has one filter, so an epoch is one measurement in one band. Nothing is computed here:
values move from a column such as ``bp_flux`` to the column ``flux`` of the row of that band.
"""

import numpy as np

__all__ = ["split_bands"]


def split_bands(table, columns, bands):
    """Split each row into one row per band.

    Parameters
    ----------
    table : ndarray, shape (n_visits,)
        Structured array as the survey sent it.
    columns : dict of str to tuple
        Columns of the result, declared like those of a survey; one of them is ``band``. Text columns
        widen if `table` has longer texts.
    bands : dict of str to dict
        For each band, the name in `table` of each column of the result. Columns without an entry have
        the same name in both and are repeated for every band.

    Returns
    -------
    ndarray, shape (n_visits * n_bands,)
        Visits in their original order, the bands of a visit next to each other; zero rows without visits.
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
