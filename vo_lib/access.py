"""Read the products of a project source by source, without the database.

For example::

    store = DataStore("J030020-413839")
    store.load_prov_tree("default")
    brightest = min(store.get_lightcurves(), key=lambda lightcurve: lightcurve.row["mag_median"])

Each product tells its provenance when it is opened. After `DataStore.load_prov_tree` any other than that of the tree is
an error; without a tree, one that the project does not have now is a warning.
"""

import logging
from functools import cached_property, lru_cache

import numpy as np

from vo_lib import hdf5, paths
from vo_lib.dataset import Lightcurve, RawPhotometry
from vo_lib.downloads.manifest import read_header
from vo_lib.errors import UserError, hint
from vo_lib.plan import read_plan
from vo_lib.planning.provenance_tree import provenance_tree
from vo_lib.provenance import check_provenance
from vo_lib.reduction.reduced import open_reduced
from vo_lib.storage.lookup import map_table, rows_of
from vo_lib.tables import decode_table, table_rows, take_rows

__all__ = ["DataStore"]

log = logging.getLogger("vo_lib")


class DataStore:
    """The products of a project for one source, each read on request.

    Parameters
    ----------
    source : str or vo_lib.database.models.Source
        Name of the source in the catalog, or its row of the database.
    plan : Plan or Project, optional
        The project; by default that of ``$VO_CONFIG``, else of ``config/config.yaml``, see `vo_lib.plan.read_plan`.

    Attributes
    ----------
    name, bin : str
        Name of the source, and the bin with its products.
    row : dict
        Its catalog row, see `vo_lib.catalog.read_catalog`.

    Raises
    ------
    CatalogError
        If the catalog has no source of that name.
    """

    def __init__(self, source, plan=None):
        self.plan = read_plan() if plan is None else getattr(plan, "plan", plan)
        self.name = source if isinstance(source, str) else source.name
        self.row, self.bin = self.plan.catalog.find(self.name)
        self._provenances = {}

    def __repr__(self):
        return f"<DataStore {self.name} of {self.plan.folder}>"

    def load_prov_tree(self, tag="default"):
        """Accept only products with the provenances of a tag; reading any other is an error from then on.

        Parameters
        ----------
        tag : str, optional
            ``default``, or the name or the folder of the project: the provenances that its configuration and code give
            now. In the database these tags differ: ``default`` is the project that was synced last, the name is this
            project as last synced; see `vo_lib.provenance.Provenance.get_for_tag`. Any other tag is looked up in the
            database, if there is one.

        Returns
        -------
        dict
            Provenance of each process; for ``download`` and ``reduce`` a dict of provenances by survey. Provenances
            marked as bad, and processes and surveys that the tag lacks, are logged as warnings.

        Raises
        ------
        UserError
            If the tag is unknown.
        """
        self._provenances = provenance_tree(self.plan, tag)
        return dict(self._provenances)

    def _wanted(self, process, obs=None):
        """Return the identifier of the provenance that a product must have, or None for any."""
        found = self._provenances.get(process)
        found = found.get(obs) if isinstance(found, dict) else found
        return found.id if found else None

    def _tell_if_old(self, found, process, obs=None):
        """Warn if a product is not of the current provenance, unless `load_prov_tree` has made that an error."""
        if not self._provenances:
            _warn_of_other(self.plan.folder, process, found, self.plan.provenance(process, obs).id)

    def _open(self, path, process, obs=None, **options):
        """Open a product and check its provenance."""
        open_product = open_reduced if process == "reduce" else hdf5.open_file
        file = open_product(path, provenance=self._wanted(process, obs), **options)
        self._tell_if_old(hdf5.read_json(file, "metadata").get("provenance"), process, obs)
        return file

    def _survey(self, obs):
        """Return the name of a survey in capitals; `UserError` if the project does not have it."""
        if obs.upper() not in self.plan.observatories:
            raise UserError(f"'{obs}' is not a survey of the project; {hint(obs.upper(), self.plan.observatories)}")
        return obs.upper()

    def get_raw_photometry(self, obs):
        """Return what a survey sent for the source: a `vo_lib.dataset.RawPhotometry`, which may be empty."""
        obs = self._survey(obs)
        manifest = self.plan.data_root / paths.manifest_file(self.plan.folder, obs, self.bin)
        header, wanted = read_header(manifest), self._wanted("download", obs)
        if wanted and header is None:
            raise UserError(f"{manifest}: no such manifest; run snakemake or Project.run to download this bin")
        if header:
            check_provenance(manifest, header.get("provenance"), wanted)
            self._tell_if_old(header.get("provenance"), "download", obs)
        return RawPhotometry.of(self.plan.data_root / self.plan.raw_file(obs, self.bin), self.name)

    def get_lightcurves(self, obs=None, *, filter=None):  # noqa: A002 - the name of the column
        """Return the reduced lightcurves of the source.

        Parameters
        ----------
        obs : str, optional
            Survey; by default all surveys of the project.
        filter : str or list of str, optional
            One or more filters, such as ``ztf-r``; by default all.

        Returns
        -------
        list of vo_lib.dataset.Lightcurve
            By survey, in the order of the file. Their rows have been read; their epochs are read when needed.

        Raises
        ------
        UserError
            If the project does not have the survey or the filter.
        StaleProductError
            If a file does not have the provenance that `load_prov_tree` asks for.
        """
        filters = [filter] if filter is None or isinstance(filter, str) else list(filter)
        known = [each for survey in self.plan.surveys.values() for each in survey.observatory.filters]
        if unknown := [each for each in filters if each not in (None, *known)]:
            raise UserError(f"'{unknown[0]}' is not a filter of the project; {hint(unknown[0], known)}")
        found = self._of_surveys(paths.reduced_file, "reduce", obs)
        return [lightcurve for lightcurve in found if filter is None or lightcurve.row["filter"] in filters]

    def _of_surveys(self, file_of, process, obs):
        """Return the lightcurves of the source in the files of one survey, or for None of all of the project."""
        surveys = self.plan.observatories if obs is None else [self._survey(obs)]
        files = {name: file_of(self.plan.folder, name, self.bin) for name in surveys}
        return [found for name, file in files.items() for found in self._read_lightcurves(file, process, name)]

    def _read_lightcurves(self, name, process, obs=None):
        """Return the lightcurves of the source in a file; their epochs are read together."""
        path = self.plan.data_root / name
        with self._open(path, process, obs, whole=False) as file:
            index = map_table(file, "index")
            table = decode_table(index[rows_of(index, self.name)])
        lightcurves = Lightcurve.together(path, table["key"].tolist(), provenance=self._wanted(process, obs))
        for lightcurve, row in zip(lightcurves, table_rows(table), strict=True):
            lightcurve.row = row
        return lightcurves

    def get_processed_lightcurves(self, obs=None):
        """Return its lightcurves with quality flags and S/N, which are kept only with ``save_processed``.

        See `get_lightcurves`.
        """
        return self._of_surveys(paths.processed_file, "analyze", obs)

    def get_simulated_lightcurves(self, obs=None):
        """Return copies of its lightcurves with injected events, which are kept only with ``save_simulated``.

        See `get_lightcurves`; their rows describe the event.
        """
        return self._of_surveys(paths.simulated_file, "analyze", obs)

    def get_combined_lightcurves(self):
        """Return its combined lightcurves, which are made only with ``combine.by``.

        See `get_lightcurves`; it is also an error if the tag given to `load_prov_tree` has none.
        """
        path = paths.combined_file(self.plan.folder, self.bin)
        if self._provenances and "combine" not in self._provenances:
            raise UserError(
                f"{self.plan.data_root / path}: the tag has no combined lightcurves; set combine.by and "
                "run snakemake or Project.run"
            )
        return self._read_lightcurves(path, "combine")

    @cached_property
    def _analysis_file(self):
        """Path of the analysis file of its bin."""
        return self.plan.data_root / paths.analysis_file(self.plan.folder, self.bin)

    def get_table(self, name):
        """Return the rows of the source in a table of the analysis.

        Parameters
        ----------
        name : str
            The table: ``properties``, ``detections``, ``events``, ``injections``, ``filters``, ``series``, ...

        Returns
        -------
        dict of str to ndarray, each of shape (n_rows,)
            Columns of the table; the arrays are empty if there are no rows.

        Raises
        ------
        UserError
            If the file has no such table of sources.
        StaleProductError
            If it does not have the provenance that `load_prov_tree` asks for.
        """
        with self._open(self._analysis_file, "analyze") as file:
            if name not in file or "source" not in (file[name].dtype.names or ()):
                known = [key for key in file if "source" in (file[key].dtype.names or ())]
                raise UserError(f"{self._analysis_file}: has no table '{name}' of sources; {hint(name, known)}")
            table = map_table(file, name)
            return decode_table(table[rows_of(table, self.name)])

    def get_detections(self, *, simulated=False):
        """Return its detections, either the real ones or those of injected events; see `get_table`."""
        table = self.get_table("detections")
        return take_rows(table, table["simulated"] == simulated)

    def get_events(self):
        """Return its events; see `get_table`."""
        return self.get_table("events")

    def get_injections(self):
        """Return the events that were injected into its lightcurves; see `get_table`."""
        return self.get_table("injections")

    def get_bad_data(self):
        """Return the quality checks that its lightcurves failed; see `get_table`."""
        return self.get_table("bad_data")

    def get_properties(self):
        """Return its properties as a dict of values."""
        return {name: values[0].item() for name, values in self.get_table("properties").items()}

    def get_flags(self, lightcurve):
        """Return the quality flags of the epochs of one of its lightcurves.

        Parameters
        ----------
        lightcurve : vo_lib.dataset.Lightcurve
            From `get_lightcurves`.

        Returns
        -------
        ndarray of int64, shape (n_epochs,)
            Sum of bits that the table ``quality_bits`` explains; 0 for good epochs.

        Raises
        ------
        UserError
            If there is no analysis, or it lacks the lightcurve or has it from another reduction.
        """
        key = lightcurve.row["obs"], lightcurve.filekey
        if not (file := self._analysis_file).exists():
            raise UserError(f"{file}: no such file; run snakemake or Project.run to make it")
        state = file.stat()
        version = state.st_mtime_ns, state.st_size, state.st_ino
        provenance, known = _flagged(file, version, self._wanted("analyze"))
        self._tell_if_old(provenance, "analyze")
        if key not in known:
            raise UserError(f"{file}: has no {key[0]} lightcurve '{key[1]}'; flags are those of get_lightcurves()")
        n_epochs, epochs, qflag = known[key]
        if n_epochs != lightcurve.row["n_epochs"]:
            raise UserError(
                f"{file}: its {key[0]} lightcurve '{key[1]}' has {n_epochs} epochs, not {lightcurve.row['n_epochs']}: "
                f"it is of another reduction; run snakemake or Project.run to make it again"
            )
        flags = np.zeros(n_epochs, np.int64)
        flags[epochs] = qflag
        return flags


@lru_cache(1024)
def _warn_of_other(folder, process, found, current):
    """Warn, once per provenance, that products are not of the provenance that the project has now."""
    if found != current:
        log.warning(
            "%s: reading products of provenance %s of %s, made with other code or another configuration than the "
            "current one, %s; load_prov_tree() makes this an error",
            *(folder, found, process, current),
        )


@lru_cache(4)
def _flagged(path, _, provenance):
    """Read the provenance of an analysis, and for each survey and key the number of epochs, flagged epochs and flags.

    Each version of a file is read only once; the second argument tells versions apart in the cache.
    """
    with hdf5.open_file(path, provenance=provenance) as file:
        series, flagged = (hdf5.read_table(file, name) for name in ("series", "flagged"))
        found = hdf5.read_json(file, "metadata").get("provenance")
    flagged = take_rows(flagged, np.argsort(flagged["series"], kind="stable"))
    ends = np.searchsorted(flagged["series"], np.arange(1, len(series["lightcurve"])))
    parts = np.split(flagged["epoch"], ends), np.split(flagged["qflag"], ends)
    parts = zip(series["n_epochs"].tolist(), *parts, strict=True)
    return found, dict(zip(zip(series["obs"].tolist(), series["lightcurve"].tolist(), strict=True), parts, strict=True))
