"""Files of a newer format than this version knows are refused, and stay where they are."""

import numpy as np
import pytest
from make_epochs import PlainSurvey, make_epochs, make_sources

from vo_lib import raw
from vo_lib.dataset import Lightcurve, RawPhotometry
from vo_lib.download import download_bin
from vo_lib.downloads import manifest
from vo_lib.errors import DamagedProductError, UserError
from vo_lib.raw import Answer, read_blocks, read_index, read_metadata, write_raw
from vo_lib.reduce import reduce_bin
from vo_lib.reduction import reduced

NEWER = "has format {}, but this version of vo_lib reads formats only up to {}; upgrade vo_lib"
ROW = {"name": "a", "ra": 10.0, "dec": 0.0}
ANSWER = Answer(ROW, "ok", np.zeros(3, [("jd", "f8")]))


@pytest.fixture
def raw_file(tmp_path, monkeypatch):
    """A raw archive of the format after that of now."""
    with monkeypatch.context() as later:
        later.setattr(raw, "SCHEMA", raw.SCHEMA + 1)
        write_raw(tmp_path / "PLAIN_photometry_RA010.h5", [ANSWER], columns={})
    return tmp_path / "PLAIN_photometry_RA010.h5"


@pytest.mark.parametrize(
    "use",
    [
        read_index,
        read_metadata,
        lambda path: list(read_blocks(path, make_sources(["a"]), [("jd", "f8")])),
        lambda path: write_raw(path, [ANSWER], columns={}),
        lambda path: download_bin(PlainSurvey(), [ROW], path, parameters={}),
        lambda path: RawPhotometry.of(path, "a").data,
        lambda path: RawPhotometry.of(path, "a").altdata,
        lambda path: RawPhotometry.of(path, "a").row,
        lambda path: RawPhotometry.of(path, "a").units,
        RawPhotometry.all_in,
    ],
)
def test_newer_raw_archives_are_refused_and_stay(raw_file, use):
    content = raw_file.read_bytes()
    message = f"{raw_file}: {NEWER.format(raw.SCHEMA + 1, raw.SCHEMA)}"
    with pytest.raises(UserError, match=message) as refused:
        use(raw_file)
    assert not isinstance(refused.value, DamagedProductError)
    assert refused.value.path is None
    assert raw_file.read_bytes() == content


def test_a_raw_archive_whose_format_cannot_be_read_is_damaged(tmp_path):
    path = tmp_path / "PLAIN_photometry_RA010.h5"
    write_raw(path, [ANSWER], columns={})
    content = path.read_bytes()
    assert content.count(b'"schema"') == 1
    path.write_bytes(content.replace(b'"schema"', b'"rchema"'))
    with pytest.raises(DamagedProductError, match="PLAIN_photometry_RA010.h5: "):
        list(read_blocks(path, make_sources(["a"]), [("jd", "f8")]))


@pytest.mark.parametrize(
    "read",
    [
        reduced.read_reduced,
        lambda path: Lightcurve(path, "a_reduction_01_of_01").data,
        lambda path: Lightcurve(path, "a_reduction_01_of_01").row,
        lambda path: Lightcurve(path, "a_reduction_01_of_01").units,
        Lightcurve.all_in,
    ],
)
def test_newer_reduced_files_are_refused(tmp_path, monkeypatch, read):
    path, sources = tmp_path / "x_reduced.h5", make_sources(["a"])
    with monkeypatch.context() as later:
        later.setattr(reduced, "SCHEMA", reduced.SCHEMA + 1)
        reduced.write_reduced(path, [reduce_bin(sources, make_epochs([58000.0]), [1], PlainSurvey())], {})
    with pytest.raises(UserError, match=f"{path}: {NEWER.format(reduced.SCHEMA + 1, reduced.SCHEMA)}"):
        read(path)


@pytest.mark.parametrize("read", [manifest.read_header, manifest.find_header, manifest.read_manifest])
def test_newer_manifests_are_refused_and_not_made_again(tmp_path, monkeypatch, read):
    path = tmp_path / "x.jsonl"
    with monkeypatch.context() as later:
        later.setattr(manifest, "SCHEMA", manifest.SCHEMA + 1)
        manifest.write_manifest(path, {"generation": 1}, [])
    with pytest.raises(UserError, match=f"{path}: {NEWER.format(manifest.SCHEMA + 1, manifest.SCHEMA)}"):
        read(path)
