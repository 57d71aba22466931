"""Write files of combined lightcurves, with the offsets of their series.

They have the table ``index`` and the JSON datasets ``metadata`` and ``columns`` of reduced files, and are read like
these. This is a module apart from `vo_lib.reduction.processed` so that the analysis does not depend on the code that
combines.
"""

from vo_lib import hdf5
from vo_lib.combine import OFFSET_COLUMNS
from vo_lib.reduction.processed import write_batch

__all__ = ["write_combined"]


def write_combined(path, combination, metadata):
    """Write the combined lightcurves of a bin and the offsets of their series, atomically.

    Parameters
    ----------
    path : str or Path
        The file to write or replace.
    combination : vo_lib.combine.Combination
        Lightcurves and offsets; the batch must have the column ``qflag``.
    metadata : dict
        JSON values.
    """
    with hdf5.Writer(path) as writer:
        write_batch(writer, combination.batch, metadata, OFFSET_COLUMNS)
        writer.write_table("offsets", combination.offsets)
