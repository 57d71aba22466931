"""Detect answers in a raw archive that another project has replaced, before any job fetches them again.

Two projects on one data root with different parameters, which both refetch answers to other parameters, would do so in
turn forever. So a project whose request is unchanged since it got its answers, but whose answers are gone, stops.
"""

from vo_lib import paths
from vo_lib.download import request_parameters, split_rows
from vo_lib.downloads.manifest import catalog_rows, find_header, raw_state, read_manifest
from vo_lib.errors import ConfigError, DamagedProductError
from vo_lib.provenance import short_digest
from vo_lib.raw import FAILED, read_index
from vo_lib.text import count_text

__all__ = ["check_replaced", "replaced_answers"]


def check_replaced(plan):
    """Raise `ConfigError` for the first bin of a `vo_lib.plan.Plan` in which answers were replaced."""
    for obs, survey in plan.surveys.items():
        parameters = request_parameters(survey.observatory, survey.answer)
        for bin_name in plan.bins:
            manifest = plan.data_root / paths.manifest_file(plan.folder, obs, bin_name)
            raw = plan.data_root / plan.raw_file(obs, bin_name)
            names = replaced_answers(manifest, raw, parameters, plan.catalog.bins[bin_name][2])
            if names:
                raise ConfigError(
                    f"{raw}: another project on this data root replaced {count_text(len(names), 'source')} of this "
                    f"project (the first is '{names[0]}') with data for other parameters or another position; "
                    f"give both the same parameters or separate data roots, or set download.on_change to 'keep' "
                    f"(to download them again anyway, delete {manifest})"
                )


def replaced_answers(manifest, raw, parameters, rows):
    """Return the sources whose answers in a raw archive were replaced by those to another request.

    Parameters
    ----------
    manifest, raw : Path
        The files; either may be missing.
    parameters : dict
        Current parameters of the project's request, see `vo_lib.download.request_parameters`.
    rows : str
        Digest of the current catalog rows of the bin.

    Returns
    -------
    list of str
        Their names. Empty if the project asks for something else than when it wrote the manifest, because then the
        change is its own, and if the manifest is damaged, because then the next run makes it again.

    Raises
    ------
    UserError
        If the archive has a source of the same name at another position.
    """
    header, state = find_header(manifest), raw_state(raw)
    if header is None or state in (None, header.get("raw")):
        return []
    if (header.get("parameters"), header.get("rows")) != (parameters, rows):
        return []
    try:
        sources = catalog_rows(read_manifest(manifest)[1])
    except DamagedProductError:
        return []
    index = read_index(raw)
    here = [row for row in sources if row["name"] in index and row["name"] not in header.get("kept", ())]
    lost = [row for row in here if row["status"] != FAILED and row["digest"] != index[row["name"]]["digest"]]
    return [row["name"] for row in split_rows(raw, index, lost, short_digest(parameters))[1]]
