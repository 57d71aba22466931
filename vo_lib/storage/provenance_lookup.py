"""Look up provenances by stage, identifier, product or tag.

The provenances that the project has now, and those stored in products, are known without the database; earlier ones
and tags are in the database.
"""

from pathlib import Path

from vo_lib import hdf5
from vo_lib.counts.histogram_files import read_metadata
from vo_lib.errors import StaleProductError, UserError, hint
from vo_lib.running.records import Records
from vo_lib.storage.differences import differences

__all__ = ["compare_provenances", "find_provenance", "list_tags", "provenance_label"]

# Stages that write text tables, which do not contain their provenance.
_TABLES = {"rates.csv": "rates"} | dict.fromkeys(("detections.csv", "events.csv", "properties.csv"), "merge_tables")
SHORTEST = 4  # digits of an abbreviated identifier, at least


def find_provenance(plan, text):
    """Find one provenance.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.
    text : str
        A stage of the project as it is now, with the survey if there are several (``analyze``, ``reduce:ztf``); an
        identifier, or its first digits; the path of an HDF5 or netCDF product, or of a text table of the project; or
        ``TAG/STAGE``, with a survey ``TAG/STAGE:SURVEY``, for a tag in the database.

    Returns
    -------
    dict
        ``id``, ``process``, ``parameters``, ``code`` and ``upstreams``; empty if only the product is known and does not
        contain them.

    Raises
    ------
    UserError
        If there is no such provenance, or more than one.
    StaleProductError
        For a text table that is not current, because nothing says what made it.
    """
    if Path(text).suffix == ".csv":
        return _of_table(plan, Path(text))
    if Path(text).suffix in (".h5", ".nc"):
        return _of_product(plan, Path(text))
    found = [row for row in plan.provenances if _is_meant(row, text)] or _in_database(plan, text)
    if len(found) != 1:
        labels = sorted(map(provenance_label, found or plan.provenances))
        raise UserError(f"'{text}' matches {len(found)} provenances; {hint(text, labels)}")
    return found[0]


def provenance_label(row):
    """Return the label of a provenance: its stage, with the survey if it belongs to one, such as ``reduce:ztf``."""
    obs = row["parameters"].get("observatory", "") if row["process"] in ("download", "reduce") else ""
    return f"{row['process']}:{obs.lower()}" if obs else row["process"]


def _is_meant(row, text):
    """Return whether a text is the label or stage of a row, or begins its identifier."""
    begins = len(text) >= SHORTEST and row["id"].startswith(text)
    return begins or text in (provenance_label(row), row["process"])


def _of_table(plan, path):
    """Provenance of a table of text by the record of the job that made it, where that is of now."""
    path, file = _find(plan, path), f"{plan.folder}/{path.name}"
    if path.name not in _TABLES or path.resolve() != (plan.data_root / file).resolve():
        raise UserError(f"{path}: is not a table of the project; these are {', '.join(_TABLES)} in {plan.folder}")
    if not path.exists():
        raise UserError(f"{path}: no such file; run snakemake or Project.run to make it")
    stage = _TABLES[path.name]
    if not (is_of_now := Records(plan.data_root).had(file, plan.parameters(stage))):
        old = "was made with other bins, parameters or code than the current ones, and does not say which"
        how = "there is no record of how it was made" if is_of_now is None else old
        raise StaleProductError(f"{path}: {how}; run snakemake or Project.run to make it again")
    return next(row for row in plan.provenances if row["process"] == stage)


def _find(plan, path):
    """Return the path of a product, relative to here or to the folder of the project."""
    return path if path.exists() else plan.data_root / plan.folder / path


def _of_product(plan, path):
    """Return the provenance that is stored in a product."""
    path = _find(plan, path)
    if path.suffix == ".nc":
        found = read_metadata(path)
    else:
        with hdf5.open_file(path) as file:
            found = hdf5.read_json(file, "metadata")
    if "provenance" not in found:
        raise UserError(f"{path}: does not say what its provenance is")
    known = {row["id"]: row for row in [*_in_database(plan, found["provenance"]), *plan.provenances]}
    own = {name: found.get(name, unknown) for name, unknown in (("process", ""), ("parameters", {}), ("code", ""))}
    return known.get(found["provenance"], own | {"id": found["provenance"], "upstreams": []})


def _in_database(plan, text):
    """List the provenances in the database with an identifier or tag; empty without a database."""
    import sqlalchemy as sa

    from vo_lib.database.existing import existing_session
    from vo_lib.database.records import Provenance, ProvenanceTag

    tag, slash, label = text.partition("/")
    query = sa.select(Provenance)
    if slash:
        stage, _, obs = label.partition(":")
        query = query.join(ProvenanceTag, ProvenanceTag.provenance_id == Provenance.id)
        query = query.where(ProvenanceTag.tag == tag, ProvenanceTag.process == stage)
        query = query.where(ProvenanceTag.obs == obs.upper()) if obs else query
    else:
        query = query.where(Provenance.id.startswith(text, autoescape=True), sa.literal(len(text) >= SHORTEST))
    with existing_session(plan) as session:
        return [_as_row(found) for found in session.scalars(query)] if session else []


def _as_row(found):
    """Convert a row of the database to a dict."""
    columns = {name: getattr(found, name) for name in ("id", "process", "parameters", "code")}
    return columns | {"upstreams": list(found.upstreams)}


def compare_provenances(plan, old, new):
    """List the differences between two provenances and, as far as known, those upstream of them.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.
    old, new : dict
        See `find_provenance`.

    Returns
    -------
    list of tuple
        Key, old and new value. Keys are ``<stage>.<key of the configuration>``, and ``<stage>.code`` if both
        fingerprints are known. Empty if nothing differs.

    Raises
    ------
    UserError
        If the provenances are of different stages or surveys.
    """
    labels = provenance_label(old), provenance_label(new)
    if labels[0] != labels[1]:
        raise UserError(f"{' and '.join(labels)} have different keys; compare two of the same stage and survey")
    before, after = _tree(plan, old), _tree(plan, new)
    shared = [label for label in before if label in after]
    found = [(label, each) for label in shared for each in differences(before[label], after[label], label)]
    return [each for label, each in found if each[0] != f"{label}.code" or all(each)]


def _tree(plan, row):
    """Collect parameters and code of a provenance and all those upstream, by label."""
    known = {each["id"]: each for each in plan.provenances}
    found, todo = {}, [row]
    while todo:
        row = todo.pop()
        found[provenance_label(row)] = {**row["parameters"], "code": row["code"]}
        missing = [identifier for identifier in row["upstreams"] if identifier not in known]
        known |= {each["id"]: each for identifier in missing for each in _in_database(plan, identifier)}
        todo += [known[identifier] for identifier in row["upstreams"] if identifier in known]
    return found


def list_tags(plan):
    """List the tags of the database.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.

    Returns
    -------
    list of dict
        ``tag``, ``process``, ``obs``, ``provenance``, the number of its ``files``, what is ``bad`` about its products
        (empty without a mark), and whether it is that of the project as it is now (``is_current``); sorted by tag and
        stage.

    Raises
    ------
    UserError
        If there is no database yet.
    """
    import sqlalchemy as sa

    from vo_lib.database.existing import existing_session
    from vo_lib.database.records import File, Provenance, ProvenanceTag
    from vo_lib.database.schema import NO_TABLES

    files = sa.select(sa.func.count()).where(File.provenance_id == ProvenanceTag.provenance_id).scalar_subquery()
    columns = (ProvenanceTag.tag, ProvenanceTag.process, ProvenanceTag.obs, ProvenanceTag.provenance_id)
    with existing_session(plan) as session:
        if session is None:
            raise UserError(NO_TABLES)
        query = sa.select(*columns, files, Provenance.bad_comment).join(ProvenanceTag.provenance)
        rows = session.execute(query.order_by(*columns[:3])).all()
    current = {row["id"] for row in plan.provenances}
    names = ("tag", "process", "obs", "provenance", "files", "bad")
    return [dict(zip(names, row, strict=True)) | {"is_current": row[3] in current} for row in map(tuple, rows)]
