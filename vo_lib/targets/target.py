"""The result of looking up the name of a target."""

import re
from dataclasses import dataclass

__all__ = ["AMBIGUOUS", "FOUND", "MOVING", "NOT_FOUND", "UNRESOLVED", "Target", "tidy"]

FOUND, NOT_FOUND, MOVING, AMBIGUOUS, UNRESOLVED = "found", "not_found", "moving", "ambiguous", "unresolved"


@dataclass(frozen=True)
class Target:
    """Target found, or not found, under a name.

    Parameters
    ----------
    name : str
        The name that was looked up.
    status : str
        `FOUND`; `NOT_FOUND`, if all services say so; `MOVING`, a body of the solar system; `AMBIGUOUS`, without a
        unique precise position; `UNRESOLVED`, if no service was queried or one failed.
    canonical : str
        Its name according to the service or the local table; else ``""``.
    ra, dec : float or None
        ICRS position at epoch J2000 [degrees], if found.
    pmra, pmdec : float or None
        Proper motion with cos(dec) [mas/yr], if the service gives it.
    aliases : tuple of str
        Its other names, sorted.
    service : str
        Source of the answer.
    date : str
        Date of the answer [UTC], ISO 8601.
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
        """All names of a target that is found, as a frozenset; else empty."""
        return frozenset({self.canonical, *self.aliases} if self.status == FOUND else ())

    @property
    def problem(self):
        """Why it cannot be in a catalog, as the rest of a sentence after its name; empty if it is found."""
        return {
            FOUND: "",
            NOT_FOUND: f"is not known to {self.service}; check its spelling or give its position",
            MOVING: "is a moving target and has no fixed position",
        }.get(self.status, self.reason)


def tidy(name):
    """Return a name with single blanks and without ``{}|``, which some services add and no name contains."""
    return " ".join(re.sub(r"[{}|]", "", name).split())
