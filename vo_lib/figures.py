"""Draw figures of a project or of its sources by name, from its products.

For example::

    draw(Project(), "completeness").savefig("completeness.pdf")
    draw(Project(), "lightcurve", "J000017+173931", value="flux").savefig("star.png")
"""

from vo_lib import paths
from vo_lib.counts.false_detections import expected_noise
from vo_lib.errors import StaleProductError, UserError, hint
from vo_lib.pages.pictures import PICTURES, draw_overview
from vo_lib.pages.source_figures import SOURCE_FIGURES, Choices, draw_source
from vo_lib.results import best_events, read_results
from vo_lib.running.records import Records

__all__ = ["PROJECT_FIGURES", "draw"]

PROJECT_FIGURES = (*PICTURES, "detections")


def draw(plan, what, name=None, *, any_provenance=False, **choices):
    """Draw a figure of a project, or of one of its sources.

    Parameters
    ----------
    plan : Plan or Project
        The project.
    what : str
        One of `PROJECT_FIGURES`, or for a source of `vo_lib.pages.source_figures.SOURCE_FIGURES`.
    name : str, optional
        Name of the source; by default the figure is of the project.
    any_provenance : bool, optional
        Accept products made by other code or another configuration.
    **choices
        Options for figures of a source, see `vo_lib.pages.source_figures.Choices`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UserError
        If there is no such figure, a product is missing, or the source has nothing that the figure could show.
    StaleProductError
        If a product does not have the current provenance, unless any is accepted.
    """
    plan = getattr(plan, "plan", plan)
    if name is not None:
        return draw_source(plan, what, name, Choices(**choices), any_provenance=any_provenance)
    if what in SOURCE_FIGURES:
        raise UserError(f"'{what}' is a figure of a source; give its name too")
    if what not in PROJECT_FIGURES:
        raise UserError(f"'{what}' is not a figure; {hint(what, [*PROJECT_FIGURES, *SOURCE_FIGURES])}")
    project = str(plan.data_root / plan.folder)
    wanted = None if any_provenance else plan.provenance("analyze").id
    results = read_results(project, plan.bins, plan.observatories, provenance=wanted)
    if what == "rates" and not any_provenance:
        _check_rates(plan)
    if what == "detections":
        return draw_overview(best_events(project, results, plan.config["report"]["num_best"]))
    threshold = expected_noise(plan.config["finder"])["threshold"]
    settings = {"threshold": threshold, "width_deg": plan.config["bins"]["width_deg"]}
    return PICTURES[what](results, **settings).figure


def _check_rates(plan):
    """Raise `StaleProductError` for rates made with other parameters or code; their table has no provenance."""
    file = paths.rates_file(plan.folder)
    if Records(plan.data_root).had(file, plan.parameters("rates")) is False:
        path = plan.data_root / file
        raise StaleProductError(
            f"{path}: was made with other parameters or code than the current ones; run snakemake or "
            "Project.run to make it again",
            path,
        )
