"""Orphan recovery: adopt data from existing HDF5 files into the raw archives of a project.

A table that matches a source of the catalog becomes the survey's answer for it, so the next run does not request that
source. Files are read twice, first to judge each table and then to copy those that are adopted, so that only one table
is in memory at a time.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from vo_lib.bins import claim_width
from vo_lib.download import SAME_PLACE_ARCSEC, distances, lock_raw, request_parameters
from vo_lib.downloads.foreign import ARCHIVE, find_tables, open_foreign, read_columns, read_epochs
from vo_lib.downloads.foreign_check import find_problems
from vo_lib.downloads.foreign_columns import to_answer
from vo_lib.downloads.matching import AmbiguousError, CatalogSources, NoSourceError, check_values, place_of_epochs
from vo_lib.errors import UserError
from vo_lib.planning.survey_plan import find_survey
from vo_lib.positions import SAME_OBJECT_ARCSEC
from vo_lib.provenance import short_digest
from vo_lib.raw import EMPTY, FAILED, OK, Answer, data_digest, read_index, write_raw
from vo_lib.tables import count_rows

__all__ = ["ADOPTED", "AMBIGUOUS", "NO_SOURCE", "OUTCOMES", "THERE", "UNUSABLE", "Outcome", "adopt"]

ADOPTED, THERE, NO_SOURCE, AMBIGUOUS, UNUSABLE = "adopted", "already there", "no source", "ambiguous", "unusable"
OUTCOMES = (ADOPTED, THERE, NO_SOURCE, AMBIGUOUS, UNUSABLE)


@dataclass(frozen=True)
class Outcome:
    """Outcome for one table, or for a file without tables.

    Parameters
    ----------
    file : Path
        The file.
    key : str
        Path of the table in the file.
    outcome : str
        One of `OUTCOMES`.
    name : str
        Name of its source, if known.
    reason : str
        Why it was not adopted.
    digest : str
        Digest of its epochs, if the table is usable.
    """

    file: Path
    key: str
    outcome: str
    name: str = ""
    reason: str = ""
    digest: str = ""


def adopt(plan, files, obs, match, *, columns=None, replace_known=False):
    """Adopt the tables of HDF5 files into the raw archives of a project.

    Parameters
    ----------
    plan : Plan
        The project.
    files : sequence of str or Path
        HDF5 files, see `vo_lib.downloads.foreign`; they are not changed.
    obs : str
        Survey of the project that the data come from.
    match : callable
        Function that matches a table with a source, see `vo_lib.downloads.matching`.
    columns : dict of str to str, optional
        Name in the files of each column of the survey whose name differs. Not used for raw archives of this project.
    replace_known : bool, optional
        Replace answers that the raw archive already has.

    Returns
    -------
    list of Outcome
        One per table, in the order of files and keys. Two tables of one source with different epochs are both
        ambiguous; if their epochs are the same, the second is already there.

    Raises
    ------
    UserError
        If the project does not have the survey, its data root has bins of another width, or no file exists.
    """
    adoption = _Adoption(plan, obs, match, columns or {}, replace_known)
    if not any(Path(file).exists() for file in files):
        raise UserError(f"{files[0]}: no such file; give HDF5 files to adopt sources from")
    paths = dict.fromkeys(map(Path, files))
    problems = find_problems(paths)
    found = [outcome for path in paths for outcome in adoption.judge(path, problems.get(str(path)))]
    return adoption.store(_sort_out(found))


def _sort_out(found):
    """Outcomes after conflicts are settled: at most one table of each source is adopted."""
    claims = {}
    for outcome in found:
        if outcome.outcome == ADOPTED:
            claims.setdefault(outcome.name, []).append(outcome)
    return [_sort_out_one(outcome, claims.get(outcome.name, [outcome])) for outcome in found]


def _sort_out_one(outcome, claims):
    """Outcome of a table, given all tables to adopt for the same source."""
    agree, first = len({claim.digest for claim in claims}) == 1, claims[0]
    if outcome.outcome != ADOPTED or (agree and outcome is first):
        return outcome
    if agree:
        return replace(outcome, outcome=THERE, reason=f"is the same as {first.file}: {first.key}")
    other = next(claim for claim in claims if claim is not outcome)
    reason = f"has different epochs of '{outcome.name}' than {other.file}: {other.key}; adopt only one of them"
    return replace(outcome, outcome=AMBIGUOUS, reason=reason)


class _Adoption:
    """One call of `adopt`."""

    def __init__(self, plan, obs, match, columns, replace_known):
        self.plan, self.match, self.columns, self.replace_known = plan, match, columns, replace_known
        self.survey = find_survey(plan.surveys, obs)
        self.observatory = self.survey.observatory
        self.digest = short_digest(request_parameters(self.observatory, self.survey.answer))
        self.keep = plan.config["download"]["on_change"] == "keep"
        self.time = datetime.now(UTC).isoformat(timespec="seconds")

    @cached_property
    def sources(self):
        """Sources of the catalog."""
        return CatalogSources(self.plan.catalog)

    def judge(self, path, problem):
        """Outcomes of the tables of a file, as far as they depend on the file and the catalog alone."""
        try:
            if problem:
                raise UserError(problem)
            with open_foreign(path) as file:
                tables = find_tables(file)
                found = [self._judge_table(file, table) for table in tables]
        except UserError as error:
            return [Outcome(path, "", UNUSABLE, reason=str(error))]
        return found or [Outcome(path, "", UNUSABLE, reason="has no table of a source")]

    def _judge_table(self, file, table):
        """Outcome of one table."""
        try:
            if table.double:
                raise AmbiguousError(
                    f"has columns of the same names as {table.double}, one being a group of columns and the other a "
                    "compound dataset; adopt a copy of the file without one of them"
                )
            answer = self._read(file, table)
            return Outcome(table.file, table.key, ADOPTED, answer.name, digest=data_digest(answer.data))
        except UserError as error:
            kinds = {NoSourceError: NO_SOURCE, AmbiguousError: AMBIGUOUS}
            return Outcome(table.file, table.key, kinds.get(type(error), UNUSABLE), reason=str(error))

    def _read(self, file, table):
        """Answer that a table contains, for the source that it matches."""
        answer = self._read_own(file, table) if table.layout == ARCHIVE else self._read_foreign(file, table)
        name = self.match(table, self.sources, self.observatory, answer.data, answer.altdata)
        row = self.sources.row(name, self.observatory.name)
        if table.layout != ARCHIVE:
            self._check_place(answer, name)
        elif (step := distances([answer.row], [row])[0]) > SAME_PLACE_ARCSEC:
            raise UserError(f"was fetched for a position {step:.1f} arcsec from that of '{name}' in the catalog")
        return replace(answer, row=row)

    def _check_place(self, answer, name):
        """Check that the epochs are valid and at the position of the source, and record the separation."""
        check_values(self.observatory, answer.data, answer.altdata)
        step = self.sources.separation(name, *place_of_epochs(self.observatory, answer.data, answer.altdata))
        if step > max(SAME_OBJECT_ARCSEC, getattr(self.observatory.pars, "radius_arcsec", 0.0)):
            raise UserError(f"has epochs {step:.1f} arcsec from '{name}' in the catalog")
        answer.altdata["adopted"]["separation_arcsec"] = round(step, 3)

    def _read_own(self, file, table):
        """Answer from a raw archive of this project; its row has the position that was requested."""
        entry, data = table.entry, read_epochs(file, table.key)
        if entry["status"] == FAILED:
            raise UserError("its download failed")
        if data_digest(data) != entry["digest"]:
            raise UserError("is damaged: its epochs do not match their digest")
        if entry["parameters"] != self.digest and not self.keep:
            raise UserError(
                f"was fetched from {self.survey.name} with other parameters, or from another release, than configured; "
                f"set download.on_change to 'keep' to use it anyway"
            )
        if missing := [name for name in self.observatory.columns if name not in data.dtype.names]:
            raise UserError(f"has no column '{missing[0]}' of {self.survey.name}")
        asked = {name: entry[name] for name in ("status", "parameters", "release", "fetched")}
        place = {name: entry[name] for name in ("name", "ra", "dec")}
        return Answer(place, data=data, altdata=entry["altdata"] | self._origin(table), **asked)

    def _read_foreign(self, file, table):
        """Answer from a file of another program, of which only the epochs are known."""
        columns, left_out = read_columns(file, table)
        if not columns:
            raise UserError("has no columns of single values")
        if not count_rows(columns):
            raise UserError("has no rows, which does not prove that the survey has no data")
        data, others = to_answer(columns, self.observatory.columns, self.columns)
        altdata = self._origin(table, left_out + others)
        return Answer({}, OK, data, altdata, parameters=self.digest, release=self.observatory.release)

    def _origin(self, table, left_out=()):
        """Origin of an answer, for its metadata."""
        origin = {"file": str(table.file.absolute()), "key": table.key, "time": self.time}
        return {"adopted": origin | ({"columns_left_out": list(left_out)} if left_out else {})}

    def store(self, outcomes):
        """Write the tables to adopt, one raw archive at a time, and return the final outcomes."""
        bins, final = {}, {}
        for outcome in outcomes:
            if outcome.outcome == ADOPTED:
                bins.setdefault(self.sources.bin_of(outcome.name), []).append(outcome)
        if bins:
            claim_width(self.plan.data_root, self.plan.config["bins"]["width_deg"])
        for bin_name, wanted in bins.items():
            final |= zip(wanted, self._store_bin(bin_name, wanted), strict=True)
        return [final.get(outcome, outcome) for outcome in outcomes]

    def _store_bin(self, bin_name, wanted):
        """Write the answers of one bin into its raw archive and return their outcomes."""
        path = self.plan.data_root / self.plan.raw_file(self.survey.name, bin_name)
        with lock_raw(path):
            try:
                index = read_index(path)
            except UserError as error:
                return [replace(outcome, outcome=UNUSABLE, reason=str(error)) for outcome in wanted]
            there = {name for name, row in index.items() if row["status"] in (OK, EMPTY)}
            new = [outcome for outcome in wanted if self.replace_known or outcome.name not in there]
            if new:
                write_raw(path, self._answers(new), columns=self.observatory.columns)
        adopted, reason = set(new), f"{path} already has an answer for it; use --replace to overwrite it"
        return [outcome if outcome in adopted else replace(outcome, outcome=THERE, reason=reason) for outcome in wanted]

    def _answers(self, outcomes):
        """Yield the answers of tables, reading one file after the other again."""
        for path in dict.fromkeys(outcome.file for outcome in outcomes):
            with open_foreign(path) as file:
                tables = {table.key: table for table in find_tables(file)}
                for outcome in outcomes:
                    if outcome.file == path:
                        yield self._read(file, tables[outcome.key])
