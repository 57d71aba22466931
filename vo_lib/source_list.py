"""Base class of a catalog that is made by code of a user's own."""

__all__ = ["SourceList"]


class SourceList:
    """A list of sources. One of a user's own overrides `rows`, and `version` where the list depends on more than code.

    Its options are those that ``catalog.kwargs`` gives.
    """

    def rows(self):
        """Give the sources; called once, in a job, and again only when code, options or `version` changed.

        Returns
        -------
        pandas.DataFrame, astropy.table.Table, dict of str to array_like, or list of dict
            Columns as in a catalog file: name, ra and dec [degrees], and pmra, pmdec, parallax, epoch, mag, mag_err,
            mag_filter where they are known, see `vo_lib.catalog.COLUMNS`; others for cuts. Units of astropy are
            converted; None, NaN and masked cells are missing values.
        """
        raise NotImplementedError(f"{type(self).__name__} must override rows()")

    def version(self):
        """Say which list it is, as text or a number; asked at each start of the workflow, so it must be quick.

        Returns
        -------
        str or float
            For example the date of a table that the list is made of.
        """
        return ""
