"""HDF5 files as others make them, for tests; what is in them is invented."""

import pickle

import h5py
import numpy as np

__all__ = ["as_columns", "write_appendable_frame", "write_columns", "write_compound", "write_fixed_frame"]


def as_columns(data):
    """Columns of a structured array."""
    return {name: data[name] for name in data.dtype.names}


def write_compound(path, tables, mode="a"):
    """A compound dataset for each key."""
    with h5py.File(path, mode) as file:
        for key, data in tables.items():
            file.create_dataset(key, data=data)


def write_columns(path, key, columns, **attributes):
    """A group of one-dimensional datasets."""
    with h5py.File(path, "a") as file:
        group = file.require_group(key) if key else file
        for name, values in columns.items():
            group.create_dataset(name, data=values)
        group.attrs.update(attributes)


def _blocks(columns):
    """Columns of each type, as pandas keeps them; text is of objects."""
    blocks = {}
    for name, values in columns.items():
        values = values.astype(object) if values.dtype.kind in "SU" else values
        blocks.setdefault(values.dtype, {})[name] = values
    return [(list(block), np.stack(list(block.values()))) for block in blocks.values()]


def write_fixed_frame(path, key, columns, index=None):
    """A frame in the fixed format of pandas, in the layout that pandas 2.3 with PyTables 3.11 gives it."""
    blocks = _blocks(columns)
    n_rows = len(next(iter(columns.values())))
    with h5py.File(path, "a") as file:
        group = file.create_group(key)
        group.attrs.update({"pandas_type": np.bytes_(b"frame"), "ndim": 2, "nblocks": len(blocks)})
        group.create_dataset("axis0", data=np.array([name.encode() for name in columns]))
        group.create_dataset("axis1", data=np.arange(n_rows) if index is None else index)
        for number, (names, values) in enumerate(blocks):
            group.create_dataset(f"block{number}_items", data=np.array([name.encode() for name in names]))
            if values.dtype == object:
                texts = np.array([[cell.decode() for cell in row] for row in values.tolist()], dtype=object)
                pickled = np.frombuffer(pickle.dumps(texts.T), np.uint8)
                dataset = group.create_dataset(f"block{number}_values", (1,), dtype=h5py.vlen_dtype(np.uint8))
                dataset[0] = pickled
                dataset.attrs["PSEUDOATOM"] = np.bytes_(b"object")
            else:
                dataset = group.create_dataset(f"block{number}_values", data=values.T)
            dataset.attrs["transposed"] = np.uint8(1)


def write_appendable_frame(path, key, columns, index=None):
    """A frame in the table format of pandas, likewise."""
    n_rows = len(next(iter(columns.values())))
    blocks = {}
    for name, values in columns.items():
        blocks.setdefault(values.dtype, {})[name] = values
    fields = [("index", "f8" if index is not None else "i8")]
    fields += [(f"values_block_{i}", kind, (len(block),)) for i, (kind, block) in enumerate(blocks.items())]
    rows = np.zeros(n_rows, fields)
    rows["index"] = np.arange(n_rows) if index is None else index
    with h5py.File(path, "a") as file:
        group = file.create_group(key)
        group.attrs.update({"pandas_type": np.bytes_(b"frame_table"), "nan_rep": np.bytes_(b"nan")})
        for number, block in enumerate(blocks.values()):
            rows[f"values_block_{number}"] = np.stack(list(block.values()), axis=1)
        dataset = group.create_dataset("table", data=rows)
        for number, block in enumerate(blocks.values()):
            dataset.attrs[f"values_block_{number}_kind"] = np.bytes_(pickle.dumps(list(block), 0))
        inner = group.create_group("_i_table/index")
        inner.create_dataset("sortedLR", data=np.arange(n_rows))
