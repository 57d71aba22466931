"""The quality checks as a class, which users can subclass."""

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.checks.custom import check_name
from vo_lib.contracts import call, check_mask, class_name, refuse, shown
from vo_lib.quality import QUALITY_BITS, Assessment, assess, bit_table, check_names
from vo_lib.reduction.frames import lightcurve_frames
from vo_lib.segments import segment_of

__all__ = ["QualityChecker", "check_assessment"]


class QualityChecker:
    """Quality checks. User-defined ones override `per_lightcurve` or `assess`.

    Parameters
    ----------
    checks : sequence of str, optional
        User-defined checks as ``module:function``, see `vo_lib.checks.custom`.
    **options
        Other options of `vo_lib.quality.assess`.

    Raises
    ------
    ValueError
        If an option is invalid.
    """

    def __init__(self, *, checks=(), **options):
        assess(LightcurveBatch.empty(), **options)
        check_names([*checks, class_name(self)])
        self.checks, self.options = tuple(checks), options

    def assess(self, batch, inherited=None):
        """Flag the epochs of a batch and check its lightcurves; override this to check a batch in a different way.

        Parameters
        ----------
        batch : LightcurveBatch
            Lightcurves; not changed.
        inherited : Assessment, optional
            For copies of lightcurves with injected events, see `vo_lib.quality.assess`.

        Returns
        -------
        Assessment
            If `per_lightcurve` is overridden, its bit has the name of the class.
        """
        own = {}
        if type(self).per_lightcurve is not QualityChecker.per_lightcurve:
            own = {type(self).__name__: self._one_by_one(batch)}
        return assess(batch, checks=self.checks, own=own, inherited=inherited, **self.options)

    def per_lightcurve(self, frame):
        """Mark the bad epochs of one lightcurve; override this for a check that needs only one lightcurve at a time.

        Parameters
        ----------
        frame : pandas.DataFrame
            All epochs of a lightcurve with the standard columns; ``attrs`` has its row of the table of lightcurves.

        Returns
        -------
        array_like of bool, shape (n_epochs,)
            True for bad epochs; their bit has the name of the class.
        """
        raise NotImplementedError(f"{type(self).__name__} must override assess() or per_lightcurve()")

    def bit_table(self, assessment):
        """Make the table of bits, see `vo_lib.quality.bit_table`; bits that belong to no check are this class's own."""
        known = {*QUALITY_BITS, *map(check_name, self.checks)}
        module = type(self).__module__
        own = [f"{module}:{name}" for name in assessment.bits if name not in known]
        return bit_table(assessment.bits, [*self.checks, *own])

    def _one_by_one(self, batch):
        """Mask of the epochs that `per_lightcurve` finds bad."""
        mask = np.zeros(batch.n_epochs, bool)
        for index, frame in lightcurve_frames(batch):
            where = f"lightcurve {frame.attrs['key']}"
            found = _in_order(call(self, "per_lightcurve", frame, where=where), frame)
            begin, end = batch.starts[index : index + 2]
            mask[begin:end] = check_mask(self, "per_lightcurve", found, end - begin, where=where)
        return mask


def _in_order(mask, frame):
    """Mask in the order of a frame: a mask with an index, as from a sorted frame, is aligned by its labels."""
    index = getattr(mask, "index", None)
    has_labels = index is not None and not callable(index) and len(mask) == len(frame) and index.is_unique
    return mask.reindex(frame.index) if has_labels else mask


def check_assessment(plugin, batch, found):
    """Check that the result of a quality checker fits the batch and uses only bits that it names.

    Parameters
    ----------
    plugin : QualityChecker
        The checker.
    batch : LightcurveBatch
        Batch that was passed to its ``assess``.
    found : Assessment
        What ``assess`` returned.

    Returns
    -------
    Assessment
        `found`, unchanged.

    Raises
    ------
    PluginError
        If it does not.
    """
    if not isinstance(found, Assessment):
        refuse(plugin, "assess", "a vo_lib.quality.Assessment", shown(found))
    for name, kind in {"qflag": "i8", "distance": "f8", "kept": "?"}.items():
        values = np.asarray(getattr(found, name))
        if values.dtype != np.dtype(kind) or values.shape != (batch.n_epochs,):
            refuse(plugin, "assess", f"{name} as {np.dtype(kind)} of shape ({batch.n_epochs},)", shown(values))
    unnamed = found.qflag & ~np.int64(sum(found.bits.values()))
    if len(bad := np.flatnonzero(unnamed)):
        key = batch.table["key"][segment_of(bad[0], batch.starts)]
        refuse(plugin, "assess", "only bits that it names", f"bit {unnamed[bad[0]]}", where=f"lightcurve {key}")
    return found
