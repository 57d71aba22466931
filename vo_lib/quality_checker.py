"""The checks of quality as an object: the project's own, or one of a user's own."""

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.checks.custom import check_name
from vo_lib.contracts import call, check_mask, class_name, refuse, shown
from vo_lib.quality import QUALITY_BITS, Assessment, assess, bit_table, check_names
from vo_lib.reduction.frames import lightcurve_frames

__all__ = ["QualityChecker", "check_assessment"]


class QualityChecker:
    """Checks of quality. One of a user's own overrides `per_lightcurve`, or `assess`.

    Parameters
    ----------
    checks : sequence of str, optional
        Checks of one's own as ``module:function``, see `vo_lib.checks.custom`.
    **options
        Others of `vo_lib.quality.assess`.

    Raises
    ------
    ValueError
        If an option cannot be used.
    """

    def __init__(self, *, checks=(), **options):
        assess(LightcurveBatch.empty(), **options)
        check_names([*checks, class_name(self)])
        self.checks, self.options = tuple(checks), options

    def assess(self, batch, inherited=None):
        """Flag the epochs of a batch and judge its lightcurves: override this to check a whole batch in another way.

        Parameters
        ----------
        batch : LightcurveBatch
            Lightcurves; not changed.
        inherited : Assessment, optional
            For copies of lightcurves with injected events, see `vo_lib.quality.assess`.

        Returns
        -------
        Assessment
            With the bits of `per_lightcurve`, if it is overridden, under the name of the class.
        """
        own = {}
        if type(self).per_lightcurve is not QualityChecker.per_lightcurve:
            own = {type(self).__name__: self._one_by_one(batch)}
        return assess(batch, checks=self.checks, own=own, inherited=inherited, **self.options)

    def per_lightcurve(self, frame):
        """Say which epochs of one lightcurve are bad: override this for a check that looks at one at a time.

        Parameters
        ----------
        frame : pandas.DataFrame
            All epochs of a lightcurve with the standard columns; ``attrs`` has its row of the table.

        Returns
        -------
        array_like of bool, shape (n_epochs,)
            Bad epochs; their bit has the name of the class.
        """
        raise NotImplementedError(f"{type(self).__name__} must override assess() or per_lightcurve()")

    def bit_table(self, assessment):
        """Table of bits, see `vo_lib.quality.bit_table`; those that are of no check are the class's own."""
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
    """Mask in the order of a frame: one with an index, as of a frame that was sorted, goes by its labels."""
    index = getattr(mask, "index", None)
    has_labels = index is not None and not callable(index) and len(mask) == len(frame) and index.is_unique
    return mask.reindex(frame.index) if has_labels else mask


def check_assessment(plugin, batch, found):
    """Give the answer of a check of quality, if its flags are of the epochs of a batch and of its own bits.

    Parameters
    ----------
    plugin : QualityChecker
        The checks.
    batch : LightcurveBatch
        What its ``assess`` was given.
    found : Assessment
        What it returned.

    Returns
    -------
    Assessment
    """
    if not isinstance(found, Assessment):
        refuse(plugin, "assess", "a vo_lib.quality.Assessment", shown(found))
    for name, kind in {"qflag": "i8", "distance": "f8", "kept": "?"}.items():
        values = np.asarray(getattr(found, name))
        if values.dtype != np.dtype(kind) or values.shape != (batch.n_epochs,):
            refuse(plugin, "assess", f"{name} as {np.dtype(kind)} of shape ({batch.n_epochs},)", shown(values))
    unnamed = found.qflag & ~np.int64(sum(found.bits.values()))
    if len(bad := np.flatnonzero(unnamed)):
        key = batch.table["key"][np.searchsorted(batch.starts, bad[0], side="right") - 1]
        refuse(plugin, "assess", "bits that it names", f"bit {unnamed[bad[0]]}", where=f"lightcurve {key}")
    return found
