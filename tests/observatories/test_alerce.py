"""The example of a survey of one's own."""

from pathlib import Path

import numpy as np
import pytest
from servers.alerce import AlerceServer, synthetic_detections

from extensions import alerce
from extensions.alerce import VirtualALeRCE
from vo_lib.errors import ServiceError

ROW = {"name": "x", "ra": 150.0, "dec": 2.0}
OBJECTS = {
    "ZTF18b": (150.0, 2.0001, synthetic_detections(150.0, 2.0, number=4, seed=1)),
    "ZTF18a": (150.0, 2.0, synthetic_detections(150.0, 2.0, number=6)),
    "ZTF18c": (150.0, 2.01, synthetic_detections(150.0, 2.01)),
}


def fetch(behaviour=(), row=ROW, **parameters):
    with AlerceServer(OBJECTS, behaviour) as server:
        survey = VirtualALeRCE(url=server.address, retry_wait_s=0.01, **parameters)
        return survey, *survey.fetch_data_from_observatory(row), server.requests


def test_it_is_short():
    assert len(Path(alerce.__file__).read_text().splitlines()) < 80


def test_all_detections_of_all_objects_nearby_are_kept_once():
    _, data, altdata, requests = fetch()
    assert data["oid"].tolist() == [b"ZTF18a"] * 6 + [b"ZTF18b"] * 4
    assert data["mjd"][:6].tolist() == [58500.25 + 3.0 * index for index in range(6)]
    assert len(requests) == 3
    assert altdata["query"]["radius"] == "1.5"


def test_epochs_without_an_apparent_magnitude_are_flagged():
    survey, data, *_ = fetch(radius_arcsec=0.1)
    standard = survey.standardise(data, {})
    assert standard["flag"].tolist() == [0, 1, 0, 0, 0, 2]
    assert np.isnan(standard["mag"]).tolist() == [False] * 5 + [True]
    assert set(standard["filter"]) == {"alerce-g", "alerce-r"}


@pytest.mark.parametrize("name", ["magpsf_corr", "sigmapsf_corr"])
def test_the_100_of_the_broker_is_no_number(name):
    survey, data, *_ = fetch(radius_arcsec=0.1)
    data[name][2] = 100.0
    standard = survey.standardise(data, {})
    assert standard["flag"].tolist() == [0, 1, 2, 0, 0, 2]
    assert np.isnan(standard["mag"][2] + standard["magerr"][2])


def test_a_right_ascension_is_less_than_360():
    *_, altdata, _ = fetch(row=ROW | {"ra": 359.99999999})
    assert altdata["query"]["ra"] == "0.0000000"


def test_no_object_is_no_data():
    _, data, _, requests = fetch(row=ROW | {"ra": 10.0})
    assert len(data) == 0
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the answer is empty"),
        ("<html><title>Down</title></html>", "a page: Down"),
        ('{"items": [', "is not JSON"),
        ('{"detail": "no"}', "has no list 'items'"),
        ('{"items": [{"id": 1}]}', "has no 'oid'"),
        ('{"items": [], "has_next": true}', "choose a smaller radius_arcsec"),
    ],
)
def test_an_answer_that_cannot_be_used_is_never_no_data(text, message):
    with pytest.raises(ServiceError, match=message):
        fetch([text], retries=0)
