"""The injection of events as a class, which plug-ins can derive from."""

from typing import ClassVar

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.contracts import check_table, refuse, shown
from vo_lib.profiles import PROFILES, add_profiles
from vo_lib.simulator import INJECTION_COLUMNS, inject

__all__ = ["Simulator", "check_injection"]


class Simulator:
    """Injection of events; a subclass adds shapes of events in `profiles` or overrides `inject`.

    Parameters
    ----------
    level : {"reduced", "processed"}, optional
        Whether the quality of the copies is checked anew, or they keep the quality flags of their originals.
    **options
        Other options of `vo_lib.simulator.inject`.

    Attributes
    ----------
    profiles : dict of str to vo_lib.profiles.Profile
        Additional shapes by kind; ``kinds`` may name these.

    Raises
    ------
    ValueError
        If an option or a profile is invalid.
    """

    profiles: ClassVar[dict] = {}

    def __init__(self, *, level="reduced", **options):
        add_profiles(self.profiles)
        inject(LightcurveBatch.empty(), np.zeros(0, np.int64), seed=0, level=level, **options)
        self.level, self.options = level, options

    def inject(self, batch, qflag, *, seed, real=None):
        """Add simulated events to copies of lightcurves: override this to inject in another way.

        Parameters
        ----------
        batch : LightcurveBatch
            Lightcurves; not changed.
        qflag : ndarray of int64, shape (n_epochs,)
            0 for good epochs.
        seed : int
            Seed of the project, the only source of randomness.
        real : vo_lib.finder.Finding, optional
            Real detections in the batch.

        Returns
        -------
        injected : LightcurveBatch
            A lightcurve for each event, with the additional column ``light``, the flux of the event [uJy]. Its table
            also has ``original``, the row in the table of `batch`, ``injection``, the number of the event within its
            source, and ``rms``, the robust scatter of the original [uJy].
        truth : dict of str to ndarray, each of shape (n_injections,)
            `vo_lib.simulator.INJECTION_COLUMNS`, in the order of the lightcurves; none marked as recovered yet.
        """
        return inject(batch, qflag, seed=seed, real=real, level=self.level, **self.options)


def check_injection(plugin, batch, answer):
    """Check that each lightcurve returned by a simulator is a copy of one of the batch and has a row of truth.

    Parameters
    ----------
    plugin : Simulator
        The simulator.
    batch : LightcurveBatch
        The batch passed to its ``inject``.
    answer : tuple
        What it returned, see `Simulator.inject`.

    Returns
    -------
    injected : LightcurveBatch
    truth : dict of str to ndarray
    """
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[0], LightcurveBatch):
        refuse(plugin, "inject", "a pair of LightcurveBatch and truth", shown(answer))
    injected, truth = answer
    truth = check_table(plugin, "inject", truth, INJECTION_COLUMNS, n_rows=injected.n_lightcurves)
    if missing := {*batch.table, "injection", "original", "rms"} - injected.table.keys():
        refuse(plugin, "inject", f"a table with {', '.join(sorted(missing))}", shown(injected.table))
    if injected.columns.keys() != {*batch.columns, "light"}:
        refuse(plugin, "inject", f"the columns {', '.join(batch.columns)} and light", shown(injected.columns))
    if unknown := sorted({*truth["kind"].tolist()} - PROFILES.keys()):
        refuse(plugin, "inject", f"kinds of {', '.join(PROFILES)}", unknown[0])
    for name, column in {"source": "source", "lightcurve": "key", "injection": "injection"}.items():
        if len(other := np.flatnonzero(truth[name] != injected.table[column])):
            pair = (truth[name][other[0]], injected.table[column][other[0]])
            refuse(plugin, "inject", f"truth in the order of the lightcurves, {name} {pair[1]}", str(pair[0]))
    original = injected.table["original"]
    known = (original >= 0) & (original < batch.n_lightcurves)
    same = known & (injected.counts == np.append(batch.counts, 0)[np.where(known, original, -1)])
    if len(bad := np.flatnonzero(~same)):
        got = f"{injected.counts[bad[0]]} epochs of lightcurve {original[bad[0]]} of {batch.n_lightcurves}"
        key = f"lightcurve {injected.table['key'][bad[0]]}"
        refuse(plugin, "inject", "copies with all epochs of the original", got, where=key)
    return injected, truth
