"""Write photometric series for SkyPortal: one HDF5 file per lightcurve, as its API expects.

A file holds a pandas DataFrame (HDFStore, format ``fixed``) under one key, with the metadata that SkyPortal needs as a
dict in the attribute ``metadata``. Fluxes are in microjansky, like SkyPortal's own. Filters have the names that
SkyPortal takes from sncosmo (https://sncosmo.readthedocs.io/en/stable/bandpass-list.html).
"""

import pickle  # only written, for SkyPortal to read; never loaded here  # nosec B403
import re
from itertools import pairwise

import h5py
import numpy as np

from vo_lib.downloads.matching import median_place
from vo_lib.errors import UserError
from vo_lib.segments import run_starts, starts_from_mask
from vo_lib.tables import take_rows

__all__ = [
    "FILTER_NAMES",
    "SERIES_COLUMNS",
    "series_file",
    "series_filter",
    "series_metadata",
    "split_series",
    "write_series",
]

KEY = "phot_series"
FILTER_NAMES = (
    {f"{survey}-{band}": f"ztf{band}" for survey in ("ztf", "ztf_forced") for band in "gri"}
    | {f"panstarrs-{band}": f"ps1::{band}" for band in "grizy"}
    | {"gaia-g": "gaia::g", "gaia-bp": "gaia::gbp", "gaia-rp": "gaia::grp"}
    | {"atlas-c": "atlasc", "atlas-o": "atlaso", "tess-t": "tess", "kepler-kp": "kepler"}
)
# Column of SkyPortal -> our column.
SERIES_COLUMNS = {
    "mjd": "mjd",
    "flux": "flux",
    "fluxerr": "fluxerr",
    "mag": "mag",
    "magerr": "magerr",
    "exp_time": "exptime",
    "ra": "ra",
    "dec": "dec",
    "bmjd_tdb": "bmjd_tdb",
    "flag": "flag",
    "qflag": "qflag",
}


def split_series(table):
    """Split a table of epochs into one table per lightcurve, in the same order."""
    starts = starts_from_mask(run_starts(table["obs"], table["lightcurve"]))
    for span in pairwise(starts.tolist()):
        yield take_rows(table, slice(*span))


def series_metadata(epochs, *, instrument_id, filter_names, header):
    """Collect the metadata that SkyPortal needs for a lightcurve.

    Parameters
    ----------
    epochs : dict of str to ndarray, each of shape (n_epochs,)
        One lightcurve with at least one epoch, see `vo_lib.extract.extract`.
    instrument_id : int
        Id of the instrument in SkyPortal.
    filter_names : dict of str to str
        SkyPortal's names of further filters; they take precedence over `FILTER_NAMES`.
    header : dict of str to str
        Header of the extract: project, provenance and tag.

    Returns
    -------
    dict
        Only keys that SkyPortal knows. Position [degrees] and exposure time [s] are medians.

    Raises
    ------
    UserError
        If SkyPortal has no name for the filter.
    """
    name = epochs["filter"][0].item()
    source, key = epochs["source"][0].item(), epochs["lightcurve"][0].item()
    number = key.rpartition("_reduction_")[2] or key
    ra, dec = median_place(epochs["ra"], epochs["dec"])
    return {
        "series_name": _plain(f"{header['project']}/{epochs['obs'][0]}/{name}/{number}"),
        "series_obj_id": _plain(source).replace("/", "_"),
        "obj_id": _plain(source).replace("/", "_"),
        "instrument_id": int(instrument_id),
        "ra": float(ra),
        "dec": float(dec),
        "exp_time": _median(epochs["exptime"]),
        "filter": series_filter(name, filter_names),
        "origin": header["made by"],
        "time_stamp_alignment": "middle",
        "altdata": {"source": source, "lightcurve": key, **header},
    }


def series_filter(name, filter_names):
    """Return SkyPortal's name of a filter; `UserError` if it has none. See `series_metadata`."""
    names = FILTER_NAMES | filter_names
    if name not in names:
        raise UserError(
            f"filter '{name}' has no name that SkyPortal knows; give that of its band in sncosmo with "
            f"--filter-name {name}=BAND"
        )
    return names[name]


def _plain(text):
    """Replace characters that SkyPortal does not allow, which are all but letters, digits and ``_+-/``."""
    return re.sub(r"[^\w+\-/]", "_", text, flags=re.ASCII)


def _median(values):
    """Return the median of the finite values, or NaN if there are none."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else float("nan")


def series_file(folder, epochs):
    """Return the path of the file of a lightcurve."""
    name = f"{epochs['obs'][0]}_{epochs['lightcurve'][0]}".replace("/", "%2F")
    return folder / f"{name}.h5"


def write_series(path, epochs, metadata):
    """Write a lightcurve as a pandas DataFrame in an HDFStore, without PyTables.

    Parameters
    ----------
    path : str or Path
        File to write.
    epochs : dict of str to ndarray, each of shape (n_epochs,)
        The lightcurve; those of `SERIES_COLUMNS` that it has are written.
    metadata : dict
        See `series_metadata`.
    """
    columns = {name: epochs[ours] for name, ours in SERIES_COLUMNS.items() if ours in epochs}
    blocks = [[name for name in columns if columns[name].dtype.kind == kind] for kind in "fi"]
    with h5py.File(path, "w", libver="earliest", locking=False) as file:
        _describe(file, CLASS="GROUP", VERSION="1.0", TITLE="", PYTABLES_FORMAT_VERSION="2.1")
        group = file.create_group(KEY)
        _describe(group, CLASS="GROUP", VERSION="1.0", TITLE="", **_FRAME, axis0_variety="regular")
        _describe(group, axis1_variety="regular", **{f"block{n}_items_variety": "regular" for n in (0, 1)})
        group.attrs["ndim"], group.attrs["nblocks"] = 2, len(blocks)
        group.attrs["metadata"] = np.bytes_(pickle.dumps(metadata, 0))
        _write_texts(group, "axis0", list(columns))
        _write_array(group, "axis1", np.arange(len(epochs["mjd"])), kind="integer")
        for number, names in enumerate(blocks):
            _write_texts(group, f"block{number}_items", names)
            values = np.stack([columns[name] for name in names], axis=1)
            _write_array(group, f"block{number}_values", values)


_FRAME = {"pandas_type": "frame", "encoding": "UTF-8", "errors": "strict"}


def _describe(node, **attributes):
    """Set attributes of a node as text of fixed length, as PyTables does."""
    for name, text in attributes.items():
        kind = h5py.string_dtype("utf-8", max(len(text), 1))
        node.attrs[name] = np.array(text.encode(), dtype=kind) if text else h5py.Empty(kind)


def _write_texts(group, key, texts):
    """Write an index of strings."""
    _write_array(group, key, np.array(texts, dtype="S"), kind="string", nan_rep="")


def _write_array(group, key, values, **attributes):
    """Write an array as PyTables does."""
    dataset = group.create_dataset(key, data=values)
    _describe(dataset, CLASS="ARRAY", VERSION="2.4", TITLE="", FLAVOR="numpy", **attributes)
    dataset.attrs["transposed"] = np.uint8(1)
    if "kind" in attributes:
        dataset.attrs["name"] = np.bytes_(pickle.dumps(None, 0))  # an index without a name
