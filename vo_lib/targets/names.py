"""Resolve the names of targets to a standard name and a position.

A name is resolved by the first of these that knows it:

1. the local table, ``config/target_names.yaml``, see `vo_lib.targets.table`;
2. a service, see `vo_lib.targets.resolvers`, whose answers are kept in ``catalogs/names.tsv``, see
   `vo_lib.targets.cache`; if one of the names that it gives is already in use, in a catalog for example, the target
   keeps that one;
3. otherwise the target keeps the name that was given.

Services are queried only on request, so that a run does not depend on the network. A service that fails may still know
the name, which then stays unresolved. An answer of the second service while the first one fails is used but not kept,
because only the first gives proper motions.
"""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from vo_lib.downloads.fetching import NOT_ASKED
from vo_lib.errors import CatalogError, ServiceError, UserError
from vo_lib.observatories.pace import Pace
from vo_lib.targets.cache import KEPT, NameCache
from vo_lib.targets.resolvers import make_services
from vo_lib.targets.table import NameTable, normalise
from vo_lib.targets.target import AMBIGUOUS, MOVING, NOT_FOUND, UNRESOLVED, Target, tidy

__all__ = ["CACHE", "TABLE", "Resolver"]

TABLE = Path("config/target_names.yaml")
CACHE = Path("catalogs/names.tsv")

# Number of names in a row with failures of all services after which these count as down.
MAX_CONSECUTIVE = 3
# Number of names between two writes of the cache.
SAVE_EVERY = 50

log = logging.getLogger("vo_lib")


class Resolver:
    """Resolver of the names of targets.

    Parameters
    ----------
    table : str or Path, optional
        The local table, see `vo_lib.targets.table.NameTable.read`.
    cache : str or Path, optional
        File of answers from services, see `vo_lib.targets.cache.NameCache`.
    known : iterable of str, optional
        Names already in use for targets, for example in a catalog.
    offline : bool, optional
        Use only the table and the cache.
    services : sequence, optional
        Services in the order in which they are queried, see `vo_lib.targets.resolvers.make_services`; the next one is
        queried if one fails or has no unique position for a name.
    per_second : float, optional
        Maximum number of names to query per second; 0 for no limit.
    """

    def __init__(self, table=TABLE, cache=CACHE, *, known=(), offline=True, services=None, per_second=4.0):
        self.table, self.cache, self.offline = NameTable.read(table), NameCache(cache), offline
        self._known = {}
        for name in sorted(known):
            self._known.setdefault(normalise(name), name)
        self._services, self._pace, self._failures = services, Pace(per_second), 0

    def get_targname(self, targname):
        """Return the standard name of a target.

        Parameters
        ----------
        targname : str
            A name of the target.

        Returns
        -------
        str
            The name to use from the table; else the first known name, in alphabetical order, among the names of the
            target; else the given name.

        Raises
        ------
        ServiceError
            If services fail, because the standard name is then unknown.
        """
        if entry := self.table.find(targname):
            return entry[0]
        target = self.look_up(targname)
        if target.status == UNRESOLVED:
            log.warning("'%s' %s; until then this name is used for it", targname, target.problem)
        forms = {normalise(name) for name in target.names}
        return min((name for form, name in self._known.items() if form in forms), default=targname)

    def resolve(self, targname):
        """Return all names of a target.

        Parameters
        ----------
        targname : str
            A name of the target.

        Returns
        -------
        set of str
            Empty if services do not know a unique target of that name, or if it is not in the cache when offline.

        Raises
        ------
        ServiceError
            If services fail.
        """
        return set(self.look_up(targname).names)

    def locate(self, name):
        """Return the `Target` of a name that has a position.

        Parameters
        ----------
        name : str
            A name of the target.

        Returns
        -------
        Target

        Raises
        ------
        CatalogError
            If the name is not found, is ambiguous or, offline, not in the cache, or if the target moves.
        ServiceError
            If services fail.
        """
        target = self.look_up(name)
        if target.problem:
            raise CatalogError(f"'{name}' {target.problem}")
        return target

    def look_up(self, name):
        """Return what is known about a name.

        Parameters
        ----------
        name : str
            A name of a target.

        Returns
        -------
        Target
            Unresolved if offline and not in the cache.

        Raises
        ------
        ServiceError
            If no service knows the name and at least one fails.
        """
        self._failures = 0
        try:
            return self._find(name)
        finally:
            self.cache.save()

    def look_up_all(self, names):
        """Yield what is known about many names, one after the other.

        Parameters
        ----------
        names : iterable of str
            Names of targets.

        Yields
        ------
        Target
            One per name; unresolved if services fail. After three names in a row for which all services fail, none is
            queried any more.
        """
        self._failures = 0
        try:
            for number, name in enumerate(names, 1):
                try:
                    yield self._find(name)
                except ServiceError as error:
                    log.warning("%s: %s", name, error)
                    yield Target(tidy(name), UNRESOLVED, reason=f"could not be resolved: {error}")
                if number % SAVE_EVERY == 0:
                    self.cache.save()
        finally:
            self.cache.save()

    def _find(self, name):
        """Target of a name, from the table, the cache or the services."""
        entry = self.table.find(name)
        asked = tidy(entry[0] if entry else name)
        if not asked:
            raise UserError("the name of a target is empty")
        if entry and entry[1]:
            return Target(asked, MOVING, asked, service="local table")
        if target := self.cache.get(asked):
            return target
        if self.offline:
            return Target(asked, UNRESOLVED, reason=f"is not in {self.cache.path}; resolve it online")
        target, problems = self._ask(asked)
        target = replace(target, date=datetime.now(UTC).date().isoformat())
        log.info("%s: %s by %s as %s", asked, target.status, target.service, target.canonical or "-")
        if problems:
            log.warning("%s: the answer of %s is used but not kept, because %s", asked, target.service, problems)
        elif target.status in KEPT:
            self.cache.put(target)
        return target

    def _ask(self, name):
        """Answer of the first service with a position for a name, and the problems of those before it."""
        if self._failures >= MAX_CONSECUTIVE:
            raise ServiceError(NOT_ASKED)
        if self._services is None:
            self._services = make_services()
        self._pace.wait()
        problems, doubtful = [], None
        for service in self._services:
            try:
                target = service.look_up(name)
            except ServiceError as error:
                problems.append(f"{service.title}: {error}")
                continue
            self._failures = 0
            if target.status not in (NOT_FOUND, AMBIGUOUS):
                return target, "; ".join(problems)
            doubtful = doubtful or (target if target.status == AMBIGUOUS else None)
        if problems and not doubtful:
            self._failures += len(problems) == len(self._services)
            raise ServiceError("; ".join(problems))
        services = " and ".join(service.title for service in self._services)
        return doubtful or Target(name, NOT_FOUND, service=services), "; ".join(problems)
