"""Run custom checks: functions that ``quality.checks`` lists as ``module:function``.

A check takes a `LightcurveBatch` with read-only arrays and returns either a mask of bad epochs, bool of shape
(n_epochs,), or the pair ``(success, reason)`` for whole lightcurves, bool and str of shape (n_lightcurves,). Its name,
and that of its quality bit, is the name of the function. It is also called for copies with injected events, and for a
batch without lightcurves.
"""

import numpy as np

from vo_lib.contracts import frozen, raised
from vo_lib.errors import ConfigError, PluginError, UserError
from vo_lib.plugins import load_function
from vo_lib.text import is_storable

__all__ = ["check_name", "run_checks"]


def check_name(path):
    """Return the name of a check: that of its function."""
    return path.rpartition(":")[2]


def run_checks(batch, checks):
    """Run all custom checks.

    Parameters
    ----------
    batch : LightcurveBatch
        Lightcurves.
    checks : sequence of str
        Checks as ``module:function``.

    Returns
    -------
    masks : dict of str to ndarray of bool, each of shape (n_epochs,)
        Bad epochs by the name of the check, for checks of epochs.
    verdicts : dict of str to tuple of ndarray, each of shape (n_lightcurves,)
        Success and reason by the name of the check, for checks of whole lightcurves.

    Raises
    ------
    ConfigError
        If a function cannot be loaded or returns something else.
    PluginError
        If a function raises an exception other than a `UserError`.
    """
    masks, verdicts = {}, {}
    for path in checks:
        answer = _run(path, load_function(path, "quality.checks"), batch)
        if isinstance(answer, tuple):
            verdicts[check_name(path)] = _verdict(path, *answer, batch.n_lightcurves)
        else:
            masks[check_name(path)] = _mask(path, answer, batch.n_epochs)
    return masks, verdicts


def _run(path, check, batch):
    """Call a check; return its answer as a mask of epochs, or as success and reason (text) of lightcurves."""
    try:
        answer = check(frozen(batch))
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"quality.checks: {path} {raised(error)}; correct the function") from error
    try:
        if isinstance(answer, tuple) and len(answer) == 2:
            return np.asarray(answer[0]), np.asarray(answer[1]).astype(str)
        return np.asarray(answer)
    except ValueError as error:
        raise ConfigError(f"quality.checks: {path} must return arrays ({error}); correct the function") from error


def _mask(path, mask, n_epochs):
    """Validate the mask of a check of epochs."""
    if mask.dtype != bool or mask.shape != (n_epochs,):
        raise ConfigError(
            f"quality.checks: {path} must return a bool for each of {n_epochs} epochs, or a pair (success, reason), "
            f"got {mask.dtype} of shape {mask.shape}; correct the function"
        )
    return mask


def _verdict(path, success, reason, n_lightcurves):
    """Validate success and reason of a check of whole lightcurves; a missing reason becomes the check's name."""
    if success.dtype != bool or success.shape != (n_lightcurves,) or reason.shape not in ((), success.shape):
        raise ConfigError(
            f"quality.checks: {path} must return a bool and a text for each of {n_lightcurves} lightcurves, "
            f"got {success.dtype} of shape {success.shape} and {reason.shape} texts; correct the function"
        )
    if not is_storable("".join(np.unique(reason).tolist())):
        raise ConfigError(
            f"quality.checks: {path} must return reasons without NUL or surrogates, got "
            f"{''.join(reason.ravel().tolist())[:40]!r}; correct the function"
        )
    return success, np.where(success, "", np.where(reason == "", check_name(path), reason))
