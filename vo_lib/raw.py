"""Raw archives: what a survey sent for each source of a bin, shared by all projects.

A raw file holds the epochs of each source as they were sent, under its key, and a table ``index`` with a
row per source. In the same order, ``metadata`` holds as JSON the catalog row, the data sent outside the table,
the parameters of the request, the data release and the time of the download.
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
from vo_lib.catalogs.columns import DEFAULT_EPOCH
from vo_lib.errors import StaleProductError
from vo_lib.paths import encode_key
from vo_lib.reduction.blocks import BLOCK_EPOCHS, source_blocks
from vo_lib.storage.flat_rows import read_flat
from vo_lib.storage.formats import check_format
from vo_lib.storage.seal import check_seal, is_sealed
from vo_lib.tables import describe_columns, table_rows, take_rows

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

# Position in the file of the epochs of a source, see `vo_lib.storage.flat_rows`, and digest of their type, for rows of
# the index without them and for files that another tool has changed.
_UNPLACED = {"place": -1, "type": ""}


@lru_cache
def describe_type(dtype):
    """Return a text for a compound dtype; cached, because surveys have few and numpy is slow at it."""
    # The metadata that h5py adds to text fields is not part of the type.
    return repr(np.lib.format.drop_metadata(dtype).descr)


@lru_cache
def _type_digest(dtype):
    """First 8 hexadecimal digits of the SHA-256 of a compound dtype."""
    return hashlib.sha256(describe_type(dtype).encode()).hexdigest()[:8]


def data_digest(data):
    """Return the first 16 hexadecimal digits of the SHA-256 of a structured array with its field names and types."""
    digest = hashlib.sha256(describe_type(data.dtype).encode())
    digest.update(np.ascontiguousarray(data).tobytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Answer:
    """Answer of an archive for one source.

    Parameters
    ----------
    row : dict
        Catalog row of the source, as JSON values.
    status : str
        `OK`, `EMPTY` or `FAILED`.
    data : ndarray
        Epochs as they were sent, as a structured array; no rows unless `OK`.
    altdata : dict
        What was sent besides the table, as JSON values.
    parameters : str
        Digest of the parameters of the request.
    release : str
        Data release that was requested.
    fetched : str
        Time of the download, ISO 8601 UTC.
    reason : str
        Why the request failed.
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
        """Return everything except the epochs as a JSON-serialisable dict."""
        return {name: value for name, value in vars(self).items() if name not in ("data", "digest")}

    def index_row(self):
        """Return the row for the ``index`` of the raw file, with the position from the catalog row."""
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
    """Compute the positions of catalog rows at a given time.

    Parameters
    ----------
    rows : collection of dict
        Catalog rows, see `vo_lib.observatories.cat_row.position_at`.
    year : float, optional
        Julian year.

    Returns
    -------
    ra, dec : ndarray of float, shape (n_rows,)
        Positions [degrees].
    """
    names = ("ra", "dec", "pmra", "pmdec", "parallax", "epoch")
    columns = {name: np.array([row.get(name) for row in rows], dtype=float) for name in names}
    columns["epoch"][np.isnan(columns["epoch"])] = DEFAULT_EPOCH
    return propagate(**columns, to_epoch=year)


def open_raw(path, **options):
    """Open a raw file as `vo_lib.hdf5.open_file` does; raise `UserError` if its format is newer than known."""
    file = hdf5.open_file(path, **options)
    check_format(path, hdf5.read_json(file, "columns").get("schema", 0), SCHEMA)
    return file


def read_index(path):
    """Read the index of a raw file: a dict of rows, themselves dicts, by source name; empty if there is no file."""
    if not Path(path).exists():
        return {}
    with open_raw(path) as file:
        table = hdf5.read_table(file, "index")
    return {row["name"]: row for row in table_rows(table)}


def write_raw(path, answers, *, columns):
    """Add answers to a raw file.

    Parameters
    ----------
    path : str or Path
        Raw file, made if it does not exist; it is replaced in one step.
    answers : iterable of Answer
        New answers, which replace existing ones with the same name.
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
        writer.write_json("columns", {"schema": SCHEMA, "columns": describe_columns(columns)})
    return index


def read_metadata(path):
    """Read the metadata of a raw file: a dict of JSON texts by source name; empty if there is no file."""
    if not path.exists():
        return {}
    with open_raw(path) as file:
        names = hdf5.read_table(file, "index")["name"].tolist()
        with hdf5.reading(file):
            texts = file["metadata"].asstr()[:].tolist()
    return dict(zip(names, texts, strict=True))


def read_epochs(path, sources, dtype):
    """Read the epochs of the sources in a manifest from a raw file.

    Parameters
    ----------
    path : str or Path
        Raw file.
    sources : dict of str to ndarray, each of shape (n_sources,)
        Columns ``name``, ``status`` and ``digest``, as in a manifest.
    dtype : numpy.dtype
        Compound dtype of the result; text columns are widened to fit the widest answer.

    Returns
    -------
    data : ndarray, shape (n_epochs,)
        Structured array of the epochs, in the order of the sources.
    counts : ndarray of int64, shape (n_sources,)
        Number of epochs of each source; 0 unless its status is ok.

    Raises
    ------
    StaleProductError
        If a source is not in the file, or its epochs are not those that the manifest lists.
    """
    [(_, data, counts)] = read_blocks(path, sources, dtype, most=math.inf)
    return data, counts


def read_blocks(path, sources, dtype, *, most=BLOCK_EPOCHS):
    """Read epochs like `read_epochs`, but one block of sources at a time.

    Parameters
    ----------
    path, sources, dtype
        See `read_epochs`.
    most : float, optional
        See `vo_lib.reduction.blocks.source_blocks`.

    Yields
    ------
    sources : dict of str to ndarray, each of shape (n_sources_of_block,)
        Rows of `sources` in the block.
    data, counts : ndarray
        Epochs of the block, see `read_epochs`.
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
    """Position of the epochs of each row of the index; -1 if they have another dtype or the position is unknown."""
    if "place" not in table or not is_sealed(path):
        return np.full(len(table["name"]), _UNPLACED["place"])
    return np.where(table["type"] == _type_digest(dtype), table["place"], _UNPLACED["place"])


def _index_rows(path, sources, table):
    """Row of each source in the index, -1 for sources whose status is not ok."""
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
                f"run snakemake or Project.run again to download them"
            )
        rows[number] = place if status == OK else -1
    return rows
