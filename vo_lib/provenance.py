"""Identity of parameters and products."""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from vo_lib.errors import StaleProductError

__all__ = ["PACKAGE_ROOT", "Provenance", "canonical_json", "check_provenance", "short_digest"]

PACKAGE_ROOT = Path(__file__).resolve().parent.parent


def canonical_json(value):
    """JSON text of a value that does not depend on the order of keys; NaN is an error."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def short_digest(value, length=20):
    """First hexadecimal digits of the SHA-256 of a JSON value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]


@dataclass(frozen=True)
class Provenance:
    """What made a product: process, critical parameters, code and the provenances upstream.

    Parameters
    ----------
    process : str
        Name of the rule.
    parameters : dict
        The critical part of its configuration, JSON values.
    code : str
        Fingerprint of its code, or the version number of a format.
    upstreams : tuple of str, optional
        Identifiers of the provenances of its input, in any order.
    """

    process: str
    parameters: dict
    code: str
    upstreams: tuple = field(default=())

    def __repr__(self):
        return f"<Provenance {self.id} of {self.process}>"

    @cached_property
    def id(self):
        """Identifier: 20 hexadecimal digits, the same wherever and whenever it is computed."""
        return short_digest(self._content())

    def as_row(self):
        """JSON-able dict with the identifier, as products and the database keep it."""
        return self._content() | {"id": self.id}

    def _content(self):
        """What makes it the one that it is."""
        content = {"process": self.process, "parameters": self.parameters, "code": self.code}
        return content | {"upstreams": sorted(self.upstreams)}

    @classmethod
    def get_for_tag(cls, tag, process, *, obs=None, session=None):
        """Find in the database the provenance that a tag has for a process.

        Parameters
        ----------
        tag : str
            A project's name, or ``default`` for the project that was synced last.
        process : str
            Name of the rule, such as ``analyze``.
        obs : str, optional
            Name of the survey, for the processes ``download`` and ``reduce`` of a project with several.
        session : sqlalchemy.orm.Session, optional
            By default one of the database of the configuration.

        Returns
        -------
        Provenance or None
            None if the tag has none for that process; the log names what is nearest.

        Raises
        ------
        UserError
            If several surveys have one and `obs` says not which.
        """
        from vo_lib.database.session import Session
        from vo_lib.database.tags import find_tagged

        if session is not None:
            return find_tagged(session, tag, process, obs)
        with Session() as session:
            return find_tagged(session, tag, process, obs)

    def mark_bad(self, comment, *, session=None):
        """Mark it, and all that was made of it, as bad: `vo_lib.database.find` leaves that out from then on.

        Parameters
        ----------
        comment : str or None
            What is wrong with what it made; None takes the mark away.
        session : vo_lib.database.session.Session, optional
            By default one of the database of the configuration.
        """
        from vo_lib.database.session import Session
        from vo_lib.database.tags import mark_bad

        if session is not None:
            mark_bad(session, self.id, comment)
        else:
            with Session() as session:
                mark_bad(session, self.id, comment)


def check_provenance(path, found, expected):
    """Raise `StaleProductError` when a product was made with another provenance than asked for (None: any)."""
    if expected is not None and found != expected:
        raise StaleProductError(
            f"{path}: was made with provenance {found}, not {expected} as asked for; run snakemake to make it again",
            path,
        )
