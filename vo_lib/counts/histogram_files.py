"""Histograms as netCDF files, which xarray reads without this module."""

import json
import threading
from contextlib import contextmanager
from pathlib import Path

import netCDF4

from vo_lib.counts.axes import OTHER, Axis
from vo_lib.errors import DamagedProductError, UnreadableError, UserError
from vo_lib.files import replacing, sync
from vo_lib.histograms import Histogram
from vo_lib.provenance import check_provenance
from vo_lib.storage.seal import check_seal, seal

__all__ = ["read_histograms", "read_metadata", "write_histograms"]

NUMERIC_COMMENT = "first: below the edges (-inf); last two: at or above the last edge (inf), not a number (NaN)"
LABEL_COMMENT = f"last: none of the labels ('{OTHER}')"
# The netCDF library crashes the process when two threads use it.
_ONE_AT_A_TIME = threading.Lock()


def write_histograms(path, histograms, metadata):
    """Write histograms to a netCDF file atomically; an older file is replaced.

    ``xarray.open_dataset`` gives a variable for each histogram, whose coordinates are the
    centres of the bins (-inf under, inf over, NaN) or the labels, and ``<axis>_edges``.
    To select by value, leave out the outer bins: ``data.isel(snr=slice(1, -2)).sel(snr=5, method="nearest")``.

    Parameters
    ----------
    path : str or Path
        File to write; its folder is created.
    histograms : iterable of Histogram
        With different names; axes of the same name must be equal.
    metadata : dict
        Any JSON values, stored as text in the attribute ``metadata``.

    Raises
    ------
    ValueError
        If axes of the same name differ or a name is used twice; then nothing is written.
    """
    histograms = list(histograms)
    axes = _common_axes(histograms)
    text = json.dumps(metadata, sort_keys=True)
    with replacing(path) as part:
        try:
            with _ONE_AT_A_TIME, netCDF4.Dataset(part, "w", format="NETCDF4") as file:
                file.setncattr_string("metadata", text)
                for axis in axes:
                    _write_axis(file, axis)
                for histogram in histograms:
                    dimensions = [axis.name for axis in histogram.axes]
                    variable = _write_variable(file, histogram.name, dimensions, histogram.counts)
                    _describe(variable, units=histogram.unit, description=histogram.description)
        except (OSError, RuntimeError):
            # On a full disk netCDF reports that permission is denied, or an error of HDF5.
            _check_room(part, 2**20 + sum(histogram.counts.nbytes for histogram in histograms))
            raise
        seal(part)


def _check_room(part, n_bytes):
    """Raise the error of the system if a file cannot hold so many bytes."""
    part.write_bytes(bytes(n_bytes))
    sync(part)


def _common_axes(histograms):
    """Return the distinct axes of histograms, after a check of the names in the file."""
    axes, owners = {}, {}
    for histogram in histograms:
        for axis in histogram.axes:
            first = axes.setdefault(axis.name, axis)
            owner = owners.setdefault(axis.name, histogram.name)
            if what := first.difference(axis):
                raise ValueError(
                    f"axis '{axis.name}' of histograms '{owner}' and '{histogram.name}' differs in its {what}; "
                    f"in one file axes of one name must be equal, so rename one of them"
                )
    names = [histogram.name for histogram in histograms] + list(axes)
    names += [f"{axis.name}_edges" for axis in axes.values() if axis.labels is None]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"'{min(twice)}' would be the name of two variables of a file; rename a histogram or an axis")
    return list(axes.values())


def _write_axis(file, axis):
    """Add the coordinates of an axis and, if it is numeric, its edges."""
    values = axis.coordinates if axis.labels is None else axis.coordinates.astype(object)
    file.createDimension(axis.name, axis.size)
    comment = NUMERIC_COMMENT if axis.labels is None else LABEL_COMMENT
    variable = _write_variable(file, axis.name, [axis.name], values)
    _describe(variable, units=axis.unit, description=axis.description, comment=comment)
    if axis.labels is None:
        name = f"{axis.name}_edges"
        file.createDimension(name, len(axis.edges))
        _describe(_write_variable(file, name, [name], axis.edges), units=axis.unit)


def _write_variable(file, name, dimensions, values):
    """Add a variable; numbers are compressed."""
    options = {"compression": "zlib", "shuffle": True, "fill_value": False} if values.dtype != object else {}
    variable = file.createVariable(name, values.dtype if options else str, dimensions, **options)
    variable[:] = values
    return variable


def _describe(variable, **attributes):
    """Set the text attributes of a variable that are not empty."""
    for name, text in {"long_name": variable.name.replace("_", " "), **attributes}.items():
        if text:
            variable.setncattr_string(name, text)


def read_histograms(path, *, provenance=None):
    """Read all histograms of a file made by `write_histograms`.

    Parameters
    ----------
    path : str or Path
        The file.
    provenance : str, optional
        Identifier of the provenance that its metadata must name; by default any is accepted.

    Returns
    -------
    dict of str to Histogram
        By name, in the order of the file.

    Raises
    ------
    UserError
        If the file is missing, unreadable or not made by this workflow.
    StaleProductError
        If it was made with another provenance.
    """
    with _reading(path) as file:
        check_provenance(path, json.loads(file.getncattr("metadata")).get("provenance"), provenance)
        return {name: _read_histogram(file, name) for name in file.variables if name not in file.dimensions}


def read_metadata(path):
    """Read the metadata given to `write_histograms`; raises `UserError` like `read_histograms`."""
    with _reading(path) as file:
        return json.loads(file.getncattr("metadata"))


@contextmanager
def _reading(path):
    """Open a file of histograms; whatever is wrong with it raises an error of one clear line."""
    try:
        check_seal(path)  # first, since netCDF crashes the process on some altered bytes
        # Read through memory: these files are small, and netCDF would lock the file, which some network disks refuse.
        with _ONE_AT_A_TIME, netCDF4.Dataset("memory", memory=Path(path).read_bytes()) as file:
            file.set_auto_maskandscale(False)
            file.getncattr("metadata")
            yield file
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run snakemake or Project.run to make it") from None
    except (OSError, RuntimeError) as error:
        if (getattr(error, "errno", None) or 0) > 0:  # those of netCDF itself are negative
            raise UnreadableError(path, error) from None
        raise DamagedProductError(path, f"not a readable netCDF file ({error})") from None
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise DamagedProductError(path, f"not histograms of this workflow ({error})") from None


def _read_histogram(file, name):
    """Read a histogram with its axes."""
    variable = file[name]
    axes = [_read_axis(file, dimension) for dimension in variable.dimensions]
    about = {"description": getattr(variable, "description", ""), "unit": getattr(variable, "units", "1")}
    return Histogram(name, axes, counts=variable[...], **about)


def _read_axis(file, name):
    """Read an axis; the last coordinate of labels, that of the others, is left out."""
    variable = file[name]
    bins = {"labels": variable[:-1].tolist()} if variable.dtype is str else {"edges": file[f"{name}_edges"][:]}
    return Axis(name, unit=getattr(variable, "units", ""), description=getattr(variable, "description", ""), **bins)
