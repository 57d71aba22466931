"""Identifiers of parameters and products."""

import hashlib
import json
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from vo_lib.errors import StaleProductError

__all__ = ["PACKAGE_ROOT", "Provenance", "canonical_json", "check_provenance", "short_digest"]

PACKAGE_ROOT = Path(__file__).resolve().parent.parent


def canonical_json(value):
    """Return JSON text that does not depend on the order of keys; raise ValueError for NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def short_digest(value, length=20):
    """Return the first hexadecimal digits of the SHA-256 of a JSON value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]


@dataclass(frozen=True)
class Provenance:
    """Provenance of a product: process, critical parameters, code and upstream provenances.

    Parameters
    ----------
    process : str
        Name of the rule.
    parameters : dict
        Part of the configuration that determines the product, as JSON values.
    code : str
        Fingerprint of the code, or version number of a format.
    upstreams : tuple of str, optional
        Identifiers of the provenances of the inputs, in any order.
    """

    process: str
    parameters: dict
    code: str
    upstreams: tuple = field(default=())

    def __repr__(self):
        return f"<Provenance {self.id} of {self.process}>"

    @cached_property
    def id(self):
        """Identifier of 20 hexadecimal digits, reproducible on any machine and at any time."""
        return short_digest(self._content())

    def as_row(self):
        """Return a JSON-serialisable dict with the identifier, as stored in products and the database."""
        return self._content() | {"id": self.id}

    def _content(self):
        """Content that the identifier is computed from."""
        content = {"process": self.process, "parameters": self.parameters, "code": self.code}
        return content | {"upstreams": sorted(self.upstreams)}

    @classmethod
    def get_for_tag(cls, tag, process, *, obs=None, session=None):
        """Look up the provenance that a tag has for a process in the database.

        Parameters
        ----------
        tag : str
            A project's name, or ``default`` for the project that was synced last.
        process : str
            Name of the rule, such as ``analyze``.
        obs : str, optional
            Name of the survey, for the processes ``download`` and ``reduce`` of a project with several surveys.
        session : sqlalchemy.orm.Session, optional
            By default, a session of the configured database.

        Returns
        -------
        Provenance or None
            None if the tag has no provenance for that process; the log then suggests similar names.

        Raises
        ------
        UserError
            If several surveys have one and `obs` is not given.
        """
        from vo_lib.database.session import Session
        from vo_lib.database.tags import find_tagged

        with nullcontext(session) if session is not None else Session() as session:
            return find_tagged(session, tag, process, obs)

    def mark_bad(self, comment, *, session=None):
        """Mark this provenance and all that derive from it as bad, so that `vo_lib.database.find` omits their results.

        Parameters
        ----------
        comment : str or None
            What is wrong with the products; None removes the mark.
        session : vo_lib.database.session.Session, optional
            By default, a session of the configured database.
        """
        from vo_lib.database.session import Session
        from vo_lib.database.tags import mark_bad

        with nullcontext(session) if session is not None else Session() as session:
            mark_bad(session, self.id, comment)


def check_provenance(path, found, expected):
    """Raise `StaleProductError` if a product was not made with the expected provenance (None: any)."""
    if expected is not None and found != expected:
        raise StaleProductError(
            f"{path}: was made with provenance {found}, not {expected} as asked for; run snakemake or Project.run "
            "to make it again",
            path,
        )
