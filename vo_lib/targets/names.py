"""Names of targets: the one under which a target goes here, and its position.

A name is settled by the first of these that knows it:

1. the local table, ``config/target_names.yaml``, see `vo_lib.targets.table`;
2. a service, see `vo_lib.targets.resolvers`, whose answers are kept in ``catalogs/names.tsv``, see
`vo_lib.targets.cache`;
   if one of the names that it gives is known already, in a catalog for example, the target goes under that;
3. else the target goes under the name that was given.

Nobody is asked unless that is wanted, so that a run does not depend on the network. That a service fails does not
mean that it does not know a name: such a name stays open. What the second service says while the first one fails is
used but not kept, because the first one knows proper motions.
"""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from vo_lib.downloads.fetching import NOT_ASKED
from vo_lib.downloads.pace import Pace
from vo_lib.errors import CatalogError, ServiceError, UserError
from vo_lib.targets.cache import KEPT, NameCache
from vo_lib.targets.resolvers import make_services
from vo_lib.targets.table import NameTable, normalise
from vo_lib.targets.target import AMBIGUOUS, MOVING, NOT_FOUND, UNRESOLVED, Target, tidy

__all__ = ["CACHE", "TABLE", "Resolver"]

TABLE = Path("config/target_names.yaml")
CACHE = Path("catalogs/names.tsv")

# After as many names in a row for which all services failed they count as down.
MAX_CONSECUTIVE = 3
# Answers between two writes of the cache.
SAVE_EVERY = 50

log = logging.getLogger("vo_lib")


class Resolver:
    """Finds out which target a name is.

    Parameters
    ----------
    table : str or Path, optional
        The local table, see `vo_lib.targets.table.NameTable.read`.
    cache : str or Path, optional
        File of the answers of services, see `vo_lib.targets.cache.NameCache`.
    known : iterable of str, optional
        Names that targets have already, for example in a catalog.
    offline : bool, optional
        Ask nobody: use the table and the cache only.
    services : sequence, optional
        Services in the order in which they are asked, see `vo_lib.targets.resolvers.make_services`; the next one is
        asked when one fails or knows no single place for a name.
    per_second : float, optional
        Names to ask for in a second at most; 0 for no limit.
    """

    def __init__(self, table=TABLE, cache=CACHE, *, known=(), offline=True, services=None, per_second=4.0):
        self.table, self.cache, self.offline = NameTable.read(table), NameCache(cache), offline
        self._known = {}
        for name in sorted(known):
            self._known.setdefault(normalise(name), name)
        self._services, self._pace, self._failures = services, Pace(per_second), 0

    def get_targname(self, targname):
        """Give the name under which a target goes.

        Parameters
        ----------
        targname : str
            A name of the target.

        Returns
        -------
        str
            The name of the table; else, of the known names that are names of the target, the first in alphabetical
            order; else the name that was given.

        Raises
        ------
        ServiceError
            If the services could not be asked: then it is not known which.
        """
        if entry := self.table.find(targname):
            return entry[0]
        target = self.look_up(targname)
        if target.status == UNRESOLVED:
            log.warning("'%s' %s; until then it goes under this name", targname, target.problem)
        forms = {normalise(name) for name in target.names}
        return min((name for form, name in self._known.items() if form in forms), default=targname)

    def resolve(self, targname):
        """Give all names of a target.

        Parameters
        ----------
        targname : str
            A name of the target.

        Returns
        -------
        set of str
            Empty when services do not know a single target of that name and, offline, when it is not in the cache.

        Raises
        ------
        ServiceError
            If the services could not be asked.
        """
        return set(self.look_up(targname).names)

    def locate(self, name):
        """Give the `Target` of a name with its position.

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
            For a name that is not found, not single or not in the cache, and for a moving target.
        ServiceError
            If the services could not be asked.
        """
        target = self.look_up(name)
        if target.problem:
            raise CatalogError(f"'{name}' {target.problem}")
        return target

    def look_up(self, name):
        """Give what is known of a name.

        Parameters
        ----------
        name : str
            A name of a target.

        Returns
        -------
        Target
            Unresolved, offline, for a name that is not in the cache.

        Raises
        ------
        ServiceError
            If no service knows the name and one or more could not be asked.
        """
        self._failures = 0
        try:
            return self._find(name)
        finally:
            self.cache.save()

    def look_up_all(self, names):
        """Give what is known of many names, one after the other.

        Parameters
        ----------
        names : iterable of str
            Names of targets.

        Yields
        ------
        Target
            For each name; unresolved where services failed, which are not asked any more after three names in a row
            for which all of them did.
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
        """Target of a name by the table, the cache or the services."""
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
        """Answer of the first service that knows a place for a name, and the problems of those before it."""
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
