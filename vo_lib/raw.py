"""Raw archives: what a survey sent for each source of a bin, shared by all projects.

A raw file holds, under the key of each source, its epochs as they were sent; a table ``index``
(a row per source) and, row by row beside it, ``metadata`` with the catalog row, what came beside
the data, the parameters of the request, the data release and the time of the download as JSON.
"""

import hashlib
import json
import math
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from vo_lib import hdf5
from vo_lib.astrometry import propagate
from vo_lib.catalog import DEFAULT_EPOCH
from vo_lib.errors import StaleProductError
from vo_lib.paths import encode_key
from vo_lib.reduction.blocks import BLOCK_EPOCHS, source_blocks
from vo_lib.storage.flat_rows import read_flat
from vo_lib.storage.formats import check_format
from vo_lib.storage.seal import check_seal, is_sealed
from vo_lib.tables import take_rows

__all__ = [
    "EMPTY",
    "FAILED",
    "OK",
    "Answer",
    "data_digest",
    "describe_type",
    "open_raw",
    "positions",
    "read_blocks",
    "read_epochs",
    "read_index",
    "read_metadata",
    "write_raw",
]

OK, EMPTY, FAILED = "ok", "empty", "failed"

SCHEMA = 1

# Where in the file the epochs of a source begin, see `vo_lib.storage.flat_rows`, and the digest of their type: of a row
# of the index that does not say so, or of a file that another tool has changed.
_UNPLACED = {"place": -1, "type": ""}


@lru_cache
def describe_type(dtype):
    """Text of a compound type; surveys have few, and numpy takes long for it."""
    # What h5py notes of text in a type that it read is no part of the type.
    return repr(np.lib.format.drop_metadata(dtype).descr)


@lru_cache
def _type_digest(dtype):
    """First 8 hexadecimal digits of the SHA-256 of a compound type."""
    return hashlib.sha256(describe_type(dtype).encode()).hexdigest()[:8]


def data_digest(data):
    """First 16 hexadecimal digits of the SHA-256 of a structured array, names and types included."""
    digest = hashlib.sha256(describe_type(data.dtype).encode())
    digest.update(np.ascontiguousarray(data).tobytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Answer:
    """What an archive said about one source.

    Parameters
    ----------
    row : dict
        The source's catalog row, JSON values.
    status : str
        `OK`, `EMPTY` or `FAILED`.
    data : ndarray
        Epochs as they were sent, structured; zero rows unless `OK`.
    altdata : dict
        What came beside the table, JSON values.
    parameters : str
        Digest of the parameters of the request.
    release : str
        Data release that was asked.
    fetched : str
        Time of the download, ISO 8601 UTC.
    reason : str
        Why it failed.
    """

    row: dict
    status: str
    data: np.ndarray = field(compare=False)
    altdata: dict = field(default_factory=dict)
    parameters: str = ""
    release: str = ""
    fetched: str = ""
    reason: str = ""

    @property
    def name(self):
        """Name of the source."""
        return self.row["name"]

    @cached_property
    def digest(self):
        """Digest of the epochs, see `data_digest`."""
        return data_digest(self.data)

    def metadata(self):
        """All but the epochs, as a JSON-able dict."""
        return {name: value for name, value in vars(self).items() if name not in ("data", "digest")}

    def index_row(self):
        """Row of the raw file's ``index``; its position is still that of the catalog row."""
        return {
            "key": encode_key(self.name),
            "name": self.name,
            "status": self.status,
            "n_rows": len(self.data),
            "digest": self.digest,
            "ra": self.row["ra"],
            "dec": self.row["dec"],
            "parameters": self.parameters,
            "release": self.release,
            "fetched": self.fetched,
            "reason": self.reason,
        }


def positions(rows, year=DEFAULT_EPOCH):
    """Positions of catalog rows at some time.

    Parameters
    ----------
    rows : sequence of dict
        See `vo_lib.observatories.base.position_at`.
    year : float, optional
        Julian year.

    Returns
    -------
    ra, dec : ndarray of float, shape (n_rows,)
        Degrees.
    """
    names = ("ra", "dec", "pmra", "pmdec", "parallax", "epoch")
    columns = {name: np.array([row.get(name) for row in rows], dtype=float) for name in names}
    columns["epoch"][np.isnan(columns["epoch"])] = DEFAULT_EPOCH
    return propagate(**columns, to_epoch=year)


def open_raw(path):
    """Open a raw file as `vo_lib.hdf5.open_file` does; one of a newer format is a `UserError`."""
    file = hdf5.open_file(path)
    check_format(path, hdf5.read_json(file, "columns")["schema"], SCHEMA)
    return file


def read_index(path):
    """Index of a raw file by source name, each a dict; empty when there is no file."""
    if not Path(path).exists():
        return {}
    with open_raw(path) as file:
        table = hdf5.read_table(file, "index")
    columns = [values.tolist() for values in table.values()]
    return {row["name"]: row for row in (dict(zip(table, cells, strict=True)) for cells in zip(*columns, strict=True))}


def write_raw(path, answers, *, columns):
    """Put answers into a raw file, beside what it holds already.

    Parameters
    ----------
    path : str or Path
        The raw file; it is replaced in one step.
    answers : iterable of Answer
        New answers; one for a name that is there takes its place.
    columns : dict of str to tuple
        Type, unit and description of each column of the survey.

    Returns
    -------
    dict of str to dict
        The new index, see `read_index`.
    """
    path = Path(path)
    index, placed = read_index(path), path.exists() and is_sealed(path)
    index = {name: _UNPLACED | row if placed else row | _UNPLACED for name, row in index.items()}
    metadata, catalog = read_metadata(path), {}
    with hdf5.Writer(path, base=path if index else None) as writer:
        for answer in answers:
            place = writer.write(encode_key(answer.name), answer.data)
            where = {"place": place, "type": _type_digest(answer.data.dtype)}
            index[answer.name], catalog[answer.name] = answer.index_row() | where, answer.row
            metadata[answer.name] = json.dumps(answer.metadata(), sort_keys=True)
        for name, ra, dec in zip(catalog, *map(np.ndarray.tolist, positions(catalog.values())), strict=True):
            index[name] |= {"ra": ra, "dec": dec}
        names = sorted(index)
        rows = [index[name] for name in names]
        writer.write_table("index", {key: np.array([row[key] for row in rows]) for key in rows[0]})
        writer.write_texts("metadata", [metadata[name] for name in names])
        described = {name: {"unit": unit, "description": text} for name, (_, unit, text) in columns.items()}
        writer.write_json("columns", {"schema": SCHEMA, "columns": described})
    return index


def read_metadata(path):
    """Metadata texts of a raw file by source name."""
    if not path.exists():
        return {}
    with open_raw(path) as file:
        names = hdf5.read_table(file, "index")["name"].tolist()
        with hdf5.reading(file):
            texts = file["metadata"].asstr()[:].tolist()
    return dict(zip(names, texts, strict=True))


def read_epochs(path, sources, dtype):
    """Epochs of the sources of a manifest from a raw file, one after the other.

    Parameters
    ----------
    path : str or Path
        The raw file.
    sources : dict of str to ndarray, each of shape (n_sources,)
        name, status and digest of each source, as in a manifest.
    dtype : numpy.dtype
        Compound type wanted; text columns are made as wide as the widest answer needs.

    Returns
    -------
    data : ndarray, shape (n_epochs,)
        Structured array.
    counts : ndarray of int64, shape (n_sources,)
        Epochs of each source; 0 unless its status is ok.

    Raises
    ------
    StaleProductError
        For a source that is not in the file, or with other epochs than the manifest says.
    """
    [(_, data, counts)] = read_blocks(path, sources, dtype, most=math.inf)
    return data, counts


def read_blocks(path, sources, dtype, *, most=BLOCK_EPOCHS):
    """Epochs as of `read_epochs`, a block of sources after the other.

    Parameters
    ----------
    path, sources, dtype
        See `read_epochs`.
    most : float, optional
        See `vo_lib.reduction.blocks.source_blocks`.

    Yields
    ------
    sources : dict of str to ndarray, each of shape (n_sources_of_block,)
        Those of the block.
    data, counts : ndarray
        Their epochs, see `read_epochs`.
    """
    with open_raw(path) as file:
        check_seal(path, older=True)
        table = hdf5.read_table(file, "index")
        rows = _index_rows(path, sources, table)
        counts = np.where(rows < 0, 0, table["n_rows"][rows]) if len(table["n_rows"]) else np.zeros(len(rows), np.int64)
        places = _places(path, table, dtype := np.dtype(dtype))
        for block in source_blocks(counts, most):
            filled = rows[block][rows[block] >= 0]
            keys, n_rows = table["key"][filled], table["n_rows"][filled]
            wide = hdf5.widen_texts(file, keys[(places[filled] < 0) & (n_rows > 0)].tolist(), dtype)
            data = read_flat(file, keys.tolist(), n_rows, wide, places[filled])
            yield take_rows(sources, block), data, counts[block]


def _places(path, table, dtype):
    """Where the epochs of each row of the index begin; -1 for those of another type, or where that is not known."""
    if "place" not in table or not is_sealed(path):
        return np.full(len(table["name"]), _UNPLACED["place"])
    return np.where(table["type"] == _type_digest(dtype), table["place"], _UNPLACED["place"])


def _index_rows(path, sources, table):
    """Row of the index that each source has, -1 for those whose status is not ok."""
    known = {
        name: (place, digest)
        for place, (name, digest) in enumerate(zip(table["name"].tolist(), table["digest"].tolist(), strict=True))
    }
    rows = np.full(len(sources["name"]), -1)
    wanted = zip(*(sources[name].tolist() for name in ("name", "digest", "status")), strict=True)
    for number, (name, digest, status) in enumerate(wanted):
        place, stored = known.get(name, (-1, None))
        if status == OK and stored != digest:
            raise StaleProductError(
                f"{path}: no longer holds the epochs of '{name}' that were downloaded for this project; "
                f"run snakemake again to download them"
            )
        rows[number] = place if status == OK else -1
    return rows
