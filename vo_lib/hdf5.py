"""Tables in HDF5 files, written whole and replaced atomically, read by key.

A table (`vo_lib.tables`) is one compound dataset in a file, which h5py, pandas and astropy read
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

# Tables of so many bytes are compressed, in chunks of at most so many, which fit the cache that HDF5 has for them.
COMPRESSED_FROM, CHUNK = 2**13, 2**19
# Of the oldest version of HDF5 that has all we need: what the newest writes, no other program may read for years.
ENCODING = "v110"


class Writer:
    """Make a new HDF5 file beside the old one and put it in its place when complete.

    Use it as a context manager: after an exception the old file, if any, is still
    there whole and the new one is removed. File and folder are synchronised to disk.
    The file ends with its digest, see `vo_lib.storage.seal`.
    Where ``VO_SCRATCH`` is set the new one is made there first, see `vo_lib.files.through_scratch`.

    Parameters
    ----------
    path : str or Path
        The file to make; its folder is created.
    base : str or Path, optional
        An existing file whose content the new one starts from.
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
        """Store a structured array under a key without ``/``; an older dataset of that key goes.

        HDF5 makes the place for the rows, and they are put there as `vo_lib.storage.flat_rows` takes them: by HDF5 it
        takes twice as long for a hundred rows.

        Returns
        -------
        int
            Where in the file its rows begin [bytes], see `vo_lib.storage.flat_rows`; -1 without rows.
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

        A long one is compressed, unless it is to be looked at by `vo_lib.storage.lookup.map_table`.
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
        """Store a list of texts of any length as one dataset."""
        if key in self._file:
            del self._file[key]
        self._file.create_dataset(key, data=list(texts), dtype=h5py.string_dtype(), shape=(len(texts),))

    def write_json(self, key, value):
        """Store any JSON value as one text dataset (attributes are limited to 64 kB)."""
        if key in self._file:
            del self._file[key]
        self._file[key] = json.dumps(value, sort_keys=True)


class _Content(io.FileIO):
    """A file that HDF5 writes to, and that does not tell it what cannot be written, for then it may end the process."""

    failed = None

    def write(self, content):
        """Write all of some bytes: a disk that is full takes a part of them, and then none; `check` tells that."""
        done = 0
        try:
            while done < len(content) and not self.failed:
                done += super().write(content[done:] if done else content)
        except OSError as error:
            self._fail(error)
        return len(content)

    def truncate(self, size=None):
        """Give the file a size, for which some disks need room too."""
        try:
            return super().truncate(size)
        except OSError as error:
            self._fail(error)
        return size

    def _fail(self, error):
        """Note the first error."""
        error.filename, self.failed = str(self.name), self.failed or error

    def check(self):
        """Raise OSError if something could not be written."""
        if self.failed:
            raise self.failed


@cache
def _placed():
    """Properties of a dataset whose place in the file is taken, but not filled, when it is made."""
    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5d.FILL_TIME_NEVER)
    return properties


def open_file(path, *, provenance=None, whole=True):
    """Open a finished HDF5 file for reading, with one clear line when it cannot be read.

    Parameters
    ----------
    path : str or Path
        The file.
    provenance : str, optional
        Identifier of the provenance that the file must have, see `vo_lib.provenance`.
    whole : bool, optional
        Whether the digest at its end is checked with the provenance, for which all of it is read.

    Returns
    -------
    h5py.File

    Raises
    ------
    UserError
        If the file is missing; `UnreadableError` if the system does not let it be read, and `DamagedProductError` if
        it is not whole.
    StaleProductError
        If it was made with another provenance.
    """
    try:
        file = _open(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run snakemake to make it") from None
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
    """Open without locks, or with them where this process has the file open so, since HDF5 takes no other way then."""
    try:
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        if "locking flag" not in str(error):
            raise
        return h5py.File(path, "r")


@contextmanager
def reading(file):
    """Raise `DamagedProductError` where HDF5 cannot make out what is in an open file, in place of its own errors."""
    try:
        yield
    except (KeyError, OSError, RuntimeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        if getattr(error, "errno", None):
            raise UnreadableError(file.filename, error) from None
        raise DamagedProductError(file.filename, f"not a readable HDF5 file ({error})") from None


def read_table(file, key, columns=None):
    """Read one table of an open file, or some of its columns, as a dict of arrays, text as ``str``."""
    with reading(file):
        if key not in file:
            raise DamagedProductError(file.filename, f"has no table '{key}'; was it made by this workflow?")
        return decode_table(_read_all(h5d.open(file.id, key.encode()), columns))


def _read_all(dataset, columns=None):
    """All rows of a low-level dataset, or some of its columns."""
    kind, memory = _in_memory(dataset.get_type().encode(), columns)
    rows = np.empty(dataset.shape, kind)
    if rows.size:
        dataset.read(h5s.ALL, h5s.ALL, rows, memory)
    return rows


@lru_cache(256)
def _in_memory(stored, columns=None):
    """Types of numpy and of HDF5 in memory for an encoded one in a file; to find them takes as long as ten datasets."""
    kind = h5t.decode(stored).dtype
    if columns is not None:
        kind = np.dtype([(name, kind[name]) for name in columns])
    return kind, h5t.py_create(kind)


def row_type(dataset):
    """Type of the rows of a low-level dataset; that of h5py takes longer than to read them."""
    return _in_memory(dataset.get_type().encode())[0]


def read_json(file, key):
    """Read a value stored by `Writer.write_json` from an open file."""
    with reading(file):
        if key not in file:
            raise DamagedProductError(file.filename, f"has no entry '{key}'; was it made by this workflow?")
        return json.loads(file[key][()])


def read_rows(file, keys):
    """Read some datasets of an open file.

    Parameters
    ----------
    file : h5py.File
        Open file.
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
    """Make the texts of a compound type as wide as those of some datasets of an open file.

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
