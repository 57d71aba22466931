"""What is known of the name of a target."""

import re
from dataclasses import dataclass

__all__ = ["AMBIGUOUS", "FOUND", "MOVING", "NOT_FOUND", "UNRESOLVED", "Target", "tidy"]

FOUND, NOT_FOUND, MOVING, AMBIGUOUS, UNRESOLVED = "found", "not_found", "moving", "ambiguous", "unresolved"


@dataclass(frozen=True)
class Target:
    """What is known of a name.

    Parameters
    ----------
    name : str
        The name that was asked for.
    status : str
        `FOUND`; `NOT_FOUND`, when all services say so; `MOVING`, a body of the solar system; `AMBIGUOUS`, without a
        single precise position; `UNRESOLVED`, when nobody could be asked or a service failed.
    canonical : str
        Its name for the service or the local table; without either ``""``.
    ra, dec : float or None
        ICRS position at the epoch J2000 [degrees], of what is found.
    pmra, pmdec : float or None
        Proper motion with cos(dec) [mas/yr], where the service gives it.
    aliases : tuple of str
        Its other names, sorted.
    service : str
        Who says so.
    date : str
        Day of the answer, ISO 8601, UTC.
    reason : str
        Why it is `AMBIGUOUS` or `UNRESOLVED`.
    """

    name: str
    status: str
    canonical: str = ""
    ra: float | None = None
    dec: float | None = None
    pmra: float | None = None
    pmdec: float | None = None
    aliases: tuple = ()
    service: str = ""
    date: str = ""
    reason: str = ""

    @property
    def names(self):
        """All names of what is found, a frozenset; empty for anything else."""
        return frozenset({self.canonical, *self.aliases} if self.status == FOUND else ())

    @property
    def problem(self):
        """Why it cannot be in a catalog, as what follows its name in a sentence; empty for what is found."""
        return {
            FOUND: "",
            NOT_FOUND: f"is not known to {self.service}; check its spelling or give its position",
            MOVING: "is a moving target and has no fixed position",
        }.get(self.status, self.reason)


def tidy(name):
    """Give a name with single blanks and without ``{}|``, which are no part of any, in the ways services write them."""
    return " ".join(re.sub(r"[{}|]", "", name).split())
