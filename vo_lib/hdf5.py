"""Tables in HDF5 files, written in one go, replaced atomically and read by key.

A table (`vo_lib.tables`) is one compound dataset in a file, which h5py, pandas and astropy can read
without this module.
Products are never changed in place, so readers open them without file locks.
"""

import io
import json
import shutil
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

from vo_lib.errors import DamagedProductError, UnreadableError, UserError
from vo_lib.files import replacing, through_scratch
from vo_lib.provenance import check_provenance
from vo_lib.storage.seal import check_seal, remove_seal, seal
from vo_lib.tables import decode_table, encode_table

__all__ = [
    "Writer",
    "open_file",
    "read_json",
    "read_rows",
    "read_table",
    "reading",
    "row_type",
    "widen_texts",
]

# Size from which tables are compressed, and maximum size of their chunks, which fit HDF5's chunk cache [bytes].
COMPRESSED_FROM, CHUNK = 2**13, 2**19
# The oldest file format that has all we need, since other programs may take years to read the newest.
ENCODING = "v110"


class Writer:
    """Write a new HDF5 file beside the old one, and replace that when complete.

    Use it as a context manager: after an exception the old file, if any, is intact
    and the new one is removed. File and folder are synchronised to disk.
    The file ends with its digest, see `vo_lib.storage.seal`.
    If ``VO_SCRATCH`` is set, the new file is made there first, see `vo_lib.files.through_scratch`.

    Parameters
    ----------
    path : str or Path
        The file to create or replace; its folder is created.
    base : str or Path, optional
        An existing file with whose content the new one starts.
    """

    def __init__(self, path, *, base=None):
        self._path, self._base = path, base

    def __enter__(self):
        with ExitStack() as steps:
            part = steps.enter_context(through_scratch(steps.enter_context(replacing(self._path))))
            if self._base is not None:
                shutil.copyfile(self._base, part)
                remove_seal(part)
            content = steps.enter_context(_Content(part, "w+" if self._base is None else "r+"))
            self._file = h5py.File(content, "w" if self._base is None else "r+", libver=ENCODING)
            self._part, self._content, self._steps = part, content, steps.pop_all()
        self._types, self._spaces = {}, {}
        return self

    def __exit__(self, *error):
        with self._steps:
            self._file.close()
            self._content.check()
            if error[1]:
                raise error[1]
            seal(self._part)

    def write(self, key, rows):
        """Store a structured array under a key without ``/``, replacing an older dataset of that key.

        HDF5 only allocates the space; the rows are written there directly, as `vo_lib.storage.flat_rows` reads them.
        Writing through HDF5 takes twice as long for a hundred rows.

        Returns
        -------
        int
            Offset of its rows in the file [bytes], see `vo_lib.storage.flat_rows`; -1 without rows.
        """
        name = key.encode()
        if self._base is not None and name in self._file.id:
            self._file.id.unlink(name)
        if rows.dtype not in self._types:
            self._types[rows.dtype] = h5t.py_create(rows.dtype, logical=True)
        if rows.shape not in self._spaces:
            self._spaces[rows.shape] = h5s.create_simple(rows.shape)
        dataset = h5d.create(self._file.id, name, self._types[rows.dtype], self._spaces[rows.shape], _placed())
        if not rows.size:
            return -1
        place = dataset.get_offset()
        self._content.seek(place)
        self._content.write(np.ascontiguousarray(rows).view(np.uint8).data)
        self._content.check()
        return place

    def write_table(self, key, table, *, mapped=False):
        """Store a dict of arrays under a key, see `vo_lib.tables.encode_table`.

        A large one is compressed, unless it is to be mapped by `vo_lib.storage.lookup.map_table`.
        """
        rows = encode_table(table)
        if mapped or rows.nbytes < COMPRESSED_FROM:
            self.write(key, rows)
            return
        if self._base is not None and key in self._file:
            del self._file[key]
        chunks = (max(1, CHUNK // rows.dtype.itemsize),) if rows.nbytes > CHUNK else rows.shape
        self._file.create_dataset(key, data=rows, chunks=chunks, shuffle=True, compression="gzip", compression_opts=1)

    def write_texts(self, key, texts):
        """Store a list of strings of any length as one dataset."""
        if key in self._file:
            del self._file[key]
        self._file.create_dataset(key, data=list(texts), dtype=h5py.string_dtype(), shape=(len(texts),))

    def write_json(self, key, value):
        """Store any JSON value as one text dataset (attributes are limited to 64 kB)."""
        if key in self._file:
            del self._file[key]
        self._file[key] = json.dumps(value, sort_keys=True)


class _Content(io.FileIO):
    """A file for HDF5 to write to that hides write errors from it, since after one HDF5 may crash the process."""

    failed = None

    def write(self, content):
        """Write all bytes, in parts if need be, as on a disk that fills up; `check` reports failures."""
        done = 0
        try:
            while done < len(content) and not self.failed:
                done += super().write(content[done:] if done else content)
        except OSError as error:
            self._fail(error)
        return len(content)

    def truncate(self, size=None):
        """Set the size of the file, which can fail too on a full disk."""
        try:
            return super().truncate(size)
        except OSError as error:
            self._fail(error)
        return size

    def _fail(self, error):
        """Keep the first error for `check`."""
        error.filename, self.failed = str(self.name), self.failed or error

    def check(self):
        """Raise the OSError of the first write that failed, if any."""
        if self.failed:
            raise self.failed


@cache
def _placed():
    """Return the properties of a dataset whose space is allocated, but not filled, on creation."""
    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5d.FILL_TIME_NEVER)
    return properties


def open_file(path, *, provenance=None, whole=True):
    """Open a finished HDF5 file for reading, with clear errors if it cannot be read.

    Parameters
    ----------
    path : str or Path
        The file.
    provenance : str, optional
        Identifier of the provenance that the file must have, see `vo_lib.provenance`.
    whole : bool, optional
        Whether to check the digest at the end of the file too if `provenance` is given; this reads the whole file.

    Returns
    -------
    h5py.File

    Raises
    ------
    UserError
        If the file is missing; `UnreadableError` if the system cannot read it, `DamagedProductError` if it is damaged.
    StaleProductError
        If it has another provenance.
    """
    try:
        file = _open(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run snakemake or Project.run to make it, or check its name") from None
    except OSError as error:
        if error.errno:
            raise UnreadableError(path, error) from None
        raise DamagedProductError(path, f"not a readable HDF5 file ({error})") from None
    if provenance is not None:
        if whole:
            check_seal(path)
        check_provenance(path, read_json(file, "metadata").get("provenance"), provenance)
    return file


def _open(path):
    """Open without locks, or with them if this process has the file open that way, since HDF5 then requires it."""
    try:
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        if "locking flag" not in str(error):
            raise
        return h5py.File(path, "r")


@contextmanager
def reading(file):
    """Turn errors of reading an open HDF5 file into `DamagedProductError`, or `UnreadableError` if of the system."""
    try:
        yield
    except (KeyError, OSError, RuntimeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        if getattr(error, "errno", None):
            raise UnreadableError(file.filename, error) from None
        raise DamagedProductError(file.filename, f"not a readable HDF5 file ({error})") from None


def read_table(file, key, columns=None):
    """Read a table of an open file, or a tuple of its columns, as a dict of arrays; text becomes ``str``."""
    with reading(file):
        if key not in file:
            raise DamagedProductError(
                file.filename, f"has no table '{key}', so it is damaged or is not from this workflow"
            )
        return decode_table(_read_all(h5d.open(file.id, key.encode()), columns))


def _read_all(dataset, columns=None):
    """Read all rows of a low-level dataset, or a tuple of its columns."""
    kind, memory = _in_memory(dataset.get_type().encode(), columns)
    rows = np.empty(dataset.shape, kind)
    if rows.size:
        dataset.read(h5s.ALL, h5s.ALL, rows, memory)
    return rows


@lru_cache(256)
def _in_memory(stored, columns=None):
    """Return the numpy and HDF5 types in memory for an encoded stored type; finding them costs as much as ten reads."""
    kind = h5t.decode(stored).dtype
    if columns is not None:
        kind = np.dtype([(name, kind[name]) for name in columns])
    return kind, h5t.py_create(kind)


def row_type(dataset):
    """Return the type of the rows of a low-level dataset; asking h5py takes longer than reading the rows."""
    return _in_memory(dataset.get_type().encode())[0]


def read_json(file, key):
    """Read a value stored by `Writer.write_json` from an open file."""
    with reading(file):
        if key not in file:
            raise DamagedProductError(
                file.filename, f"has no entry '{key}', so it is damaged or is not from this workflow"
            )
        return json.loads(file[key][()])


def read_rows(file, keys):
    """Read several datasets of an open file.

    Parameters
    ----------
    file : h5py.File
        The file, open for reading.
    keys : sequence of str
        Compound datasets.

    Returns
    -------
    list of ndarray, each of shape (n_rows,)
        Structured arrays in the order of the keys.

    Raises
    ------
    UserError
        If the file has no such dataset.
    """
    found = []
    for key in keys:
        try:
            found.append(_read_all(h5d.open(file.id, key.encode())))
        except KeyError:
            raise UserError(f"{file.filename}: has no dataset '{key}'; is that the right file for it?") from None
    return found


def widen_texts(file, keys, dtype):
    """Return a compound type whose texts are at least as wide as those in some datasets of an open file.

    Raises
    ------
    UserError
        If a dataset lacks a field of the type, which HDF5 would read as zeros.
    """
    widths = {name: dtype[name].itemsize for name in dtype.names if dtype[name].kind == "S"}
    kinds = {h5d.open(file.id, key.encode()).get_type().encode(): key for key in keys}
    for stored, key in kinds.items():
        kind = _in_memory(stored)[0]
        if lacking := [name for name in dtype.names if name not in kind.names]:
            raise UserError(
                f"{file.filename}: '{key}' has no column '{lacking[0]}', which its survey declares; raise the "
                f"raw_schema of the survey, so that its sources are fetched again"
            )
        for name in widths:
            widths[name] = max(widths[name], kind[name].itemsize)
    return np.dtype([(name, f"S{widths[name]}" if name in widths else dtype[name]) for name in dtype.names])
