"""Base class of a catalog that is made by user code."""

__all__ = ["SourceList"]


class SourceList:
    """List of sources made by code. Subclasses override `rows`, and `version` if the list depends on more than code.

    The constructor takes the options in ``catalog.kwargs``.
    """

    def rows(self):
        """Return the sources; called once, in a job, and again only if code, options or `version` have changed.

        Returns
        -------
        pandas.DataFrame, astropy.table.Table, dict of str to array_like, or list of dict
            Columns as in a catalog file: ``name``, ``ra`` and ``dec`` [degrees]; if known ``pmra``, ``pmdec``,
            ``parallax``, ``epoch``, ``mag``, ``mag_err`` and ``mag_filter``, see `vo_lib.catalogs.columns`; and any
            others for cuts. Units of astropy are converted; None, NaN and masked cells are missing values.
        """
        raise NotImplementedError(f"{type(self).__name__} must override rows()")

    def version(self):
        """Return the version of the list; called at each start of the workflow, so it must be fast.

        Returns
        -------
        str or float
            For example, the date of the table that the list is made from.
        """
        return ""
