"""Credentials are in no output of any kind."""

import pytest
import sqlalchemy as sa
from servers.atlas import TOKEN, AtlasServer, synthetic_result

from vo_lib.database.server import connect_url

PASSWORD = "correct-horse-battery-staple"


class TalkativeServer(AtlasServer):
    """Repeats a user's token in an error about the second source."""

    talkative = True

    def answer(self, request):
        if self.talkative and request.kind == "queue" and request.form["ra"].startswith("200"):
            return 400, {"detail": f"no credit left for {request.headers['Authorization']}"}
        return super().answer(request)


def files_with(secret, *folders):
    """Files that hold a text in any of their bytes."""
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return [path for path in files if secret.encode() in path.read_bytes()]


@pytest.fixture
def database(tmp_path_factory):
    """URL with a password of a server whose data are in a folder of their own, and that folder."""
    folder = tmp_path_factory.mktemp("database")
    with connect_url(data_root=folder) as url:
        yield sa.make_url(url).set(password=PASSWORD).render_as_string(hide_password=False), folder


def test_tokens_and_passwords_are_in_no_file_row_or_line(workspace, tmp_path, database):
    url, folder = database
    token_file = tmp_path.parent / f"{tmp_path.name}_token"
    token_file.write_text(TOKEN)
    token_file.chmod(0o600)
    results = [(ra, dec, synthetic_result(ra, dec)) for ra, dec in ((10.2, 20), (10.7, -5), (200.5, 1))]
    environment = {"ATLASFORCED_TOKEN": "", "ATLASFORCED_TOKEN_FILE": str(token_file), "VO_DATABASE_URL": url}
    with TalkativeServer(results) as server:
        workspace.config["observatories"] = {"atlas": {"url": f"{server.url}/forcedphot", "poll_s": 0.01}}
        failed = workspace.run("--printshellcmds", environment=environment)
        assert failed.status != 0
        assert "no credit left for Token ***" in failed.output
        server.talkative = False
        complete = workspace.run("--verbose", environment=environment)
        assert complete.status == 0, complete.output
        report = workspace.run("--report", tmp_path / "report.html", environment=environment)
        assert report.status == 0, report.output
    assert server.of_kind("result")
    for secret in (TOKEN, PASSWORD):
        assert secret not in failed.output + complete.output + report.output
        assert files_with(secret, tmp_path, folder) == []


def test_a_run_without_its_credentials_ends_before_the_first_job(workspace):
    workspace.config["observatories"] = {"atlas": None}
    missing = {"ATLASFORCED_TOKEN": "", "ATLASFORCED_TOKEN_FILE": ""}
    run = workspace.run(environment=missing)
    assert run.status != 0
    assert "set the environment variable ATLASFORCED_TOKEN, or ATLASFORCED_TOKEN_FILE" in run.output
    assert not (workspace.data_root / "ATLAS").exists()
