import pytest
from workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    """A configuration of the demo survey."""
    return Workspace(tmp_path)


def test_a_key_is_explained_by_the_schema(workspace, capsys):
    assert workspace.vo("help", "bins.width_deg") == 0
    text = capsys.readouterr().out
    assert "bins.width_deg: Width of a bin [degrees]" in text
    assert "  default: 1\n" in text


def test_a_section_lists_its_keys_and_what_changes_no_result_is_told(workspace, capsys):
    assert workspace.vo("help", "download") == 0
    assert "  download.threads: Parallel requests in each job" in capsys.readouterr().out
    assert workspace.vo("help", "download.threads") == 0
    assert "changes no result; runs again: nothing\n" in capsys.readouterr().out
    assert workspace.vo("help", "report.max_pages") == 0
    assert "changes no result; runs again: report, pages\n" in capsys.readouterr().out


def test_without_a_key_the_sections_are_listed(workspace, capsys):
    assert workspace.vo("help") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "project: " in lines[0]
    assert {"catalog", "reduce", "finder", "rates"} <= {line.partition(":")[0] for line in lines}
    assert not any(line.startswith((" ", "reduce.")) for line in lines)


def test_an_unknown_key_names_the_nearest(workspace, capsys):
    assert workspace.vo("help", "reduce.gap_day") == 1
    assert "reduce.gap_day: 'gap_day' is not a known key; did you mean 'gap_days'?" in capsys.readouterr().err


def test_a_key_without_its_section_names_the_section(workspace, capsys):
    assert workspace.vo("help", "snr_threshold") == 1
    assert "'snr_threshold' is not a known key; did you mean 'finder.snr_threshold'?" in capsys.readouterr().err


def test_a_key_is_explained_although_the_configuration_has_a_wrong_one(workspace, capsys):
    workspace.set("simulator.width_range", [0.5, 10])
    assert workspace.vo("status") == 1
    assert "simulator.width_range is not a known key" in capsys.readouterr().err
    assert workspace.vo("help", "simulator") == 0
    assert "  simulator.width_min_days: Smallest full width" in capsys.readouterr().out


def test_keys_of_a_plug_in_are_explained_also_in_the_words_of_the_specification(workspace, capsys):
    observatories = {"ALERCE": {"class": "extensions.alerce:VirtualALeRCE"}}
    workspace.config = {"project": workspace.config | {"observatories": observatories}}
    assert workspace.vo("help", "observatories.alerce.radius_arcsec") == 0
    assert "observatories.alerce.radius_arcsec" in capsys.readouterr().out
