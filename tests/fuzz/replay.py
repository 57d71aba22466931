"""Answers of archives, recorded once from the local ones and given again, changed, without any network."""

import itertools
import time
from contextlib import contextmanager
from functools import partial

import pytest
from servers.archives import ARCHIVES

from vo_lib.errors import ServiceError
from vo_lib.observatories.http import HttpClient, _use, shown_url

# Each look at it takes a second.
_clock = itertools.count(time.monotonic())


@contextmanager
def recorded(name, load, row):
    """Give what makes a survey, and the bodies of all answers to its requests for a source, in their order."""
    bodies, ask = [], HttpClient._until_usable

    def record(client, part, use, *rest):
        def keep(part):
            bodies.append(part.stream.getvalue())
            return use(part)

        return ask(client, part, keep, *rest)

    with ARCHIVES[name]() as parameters:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(HttpClient, "_until_usable", record)
            load(**parameters).fetch_data_from_observatory(row)
        yield partial(load, **parameters), bodies


@contextmanager
def answering(bodies):
    """Let all clients have these bodies as answers, one after the other, and then none; nobody waits."""
    rest = iter(bodies)

    def answer(_, part, use, request, *__):
        where = shown_url(request)
        for body in rest:
            part.stream.write(body)
            try:
                return _use(part, use)
            except ServiceError as error:
                raise ServiceError(f"{where}: {error}; run again later") from None
        raise ServiceError(f"{where}: there are no more answers; run again later")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HttpClient, "_until_usable", answer)
        patch.setattr(time, "sleep", lambda _: None)
        patch.setattr(time, "monotonic", lambda: next(_clock))
        yield
