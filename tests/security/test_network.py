"""What an archive answers can neither lead elsewhere nor fill memory or disk."""

import base64
import gzip
import io
import shutil
import ssl
import subprocess
import zipfile

import pytest
from servers.local import LocalArchive, LocalHandler, LocalServer

from vo_lib.errors import ServiceError
from vo_lib.observatories import gaia_answers
from vo_lib.observatories.addresses import public_url
from vo_lib.observatories.credentials import mask, read_secret
from vo_lib.observatories.http import HttpClient
from vo_lib.observatories.ranges import FilePart, Part

FAST = {"timeout_s": 60, "retries": 0, "retry_wait_s": 0.01}


class _Handler(LocalHandler):
    """Does what the archive was made for."""

    def do_GET(self):
        archive = self.server.archive
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        archive.requests.append((self.command, self.path, body, dict(self.headers)))
        status, headers, answer = archive.answers.get(self.path, (200, {}, b"whole"))
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(answer))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET


class Archive(LocalArchive):
    """Gives each path its answer: status, headers and body."""

    def __init__(self, answers=None, certificate=None):
        self.answers, self.certificate, self.requests = answers or {}, certificate, []

    def make_server(self):
        server = LocalServer(("127.0.0.1", 0), _Handler)
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        return server


def sends_to(target, status=302):
    return status, {"Location": target}, b""


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "data:,x"])
@pytest.mark.parametrize("method", ["get", "download"])
def test_redirections_to_other_schemes_are_not_followed(target, method, tmp_path):
    with Archive({"/": sends_to(target)}) as archive:
        client, options = HttpClient(**FAST), {"get": {"read": str}, "download": {"path": tmp_path / "file"}}[method]
        with pytest.raises(ServiceError, match=r"it redirects to an address of \w+, which is not followed"):
            getattr(client, method)(f"{archive.address}/", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Certificate of 127.0.0.1 that nobody has signed, with its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl, which makes a certificate for the test, is not installed")
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    words = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", path, "-out", path.with_suffix(".crt")]
    subprocess.run(["openssl", "req", *words], check=True, capture_output=True)
    with open(path, "a") as file:
        file.write(path.with_suffix(".crt").read_text())
    return path


def test_a_certificate_that_nobody_has_signed_is_refused(certificate):
    refused = pytest.raises(ServiceError, match="its certificate is not trusted, or not that of this server")
    with Archive(certificate=certificate) as archive, refused:
        HttpClient(**FAST).get(archive.address.replace("http:", "https:"), read=str)
    assert archive.requests == []


@pytest.fixture
def trusted(certificate, monkeypatch):
    """The certificate, trusted."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.with_suffix(".crt")))
    return certificate


def test_https_does_not_lead_to_http_of_another_server(trusted):
    refused = pytest.raises(ServiceError, match="it redirects from HTTPS to HTTP at 127.0.0.1")
    with Archive() as plain, Archive({"/": sends_to(f"{plain.address}/")}, trusted) as archive, refused:
        HttpClient(**FAST).get(archive.address.replace("http:", "https:"), read=str)
    assert plain.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "LocalHost"])
def test_https_stays_https_where_a_server_does_not_know_its_proxy(host, trusted):
    with Archive({"/": sends_to(f"http://{host}/job?1")}, trusted) as archive:
        address = archive.address.replace("http://127.0.0.1", f"https://{host}")
        assert HttpClient(**FAST).get(address, read=str) == "whole"
    assert [request[1] for request in archive.requests] == ["/", "/job?1"]


@pytest.mark.parametrize("status", [307, 308])
def test_a_form_is_not_sent_on_to_another_server(status):
    refused = pytest.raises(ServiceError, match="it redirects the form to 127.0.0.1:[0-9]+, another server")
    with Archive() as other, Archive({"/": sends_to(f"{other.address}/", status)}) as archive, refused:
        HttpClient(**FAST).post(f"{archive.address}/", {"userpass": "secret"}, read=str)
    assert other.requests == []


def test_a_form_is_sent_on_within_a_server():
    with Archive({"/": sends_to("/new", 307)}) as archive:
        assert HttpClient(**FAST).post(f"{archive.address}/", {"a": "1"}, read=str) == "whole"
    assert [request[2] for request in archive.requests] == [b"a=1"] * 2


def test_a_token_is_not_sent_on_to_another_host():
    with Archive() as other, Archive() as archive:
        archive.answers["/"] = sends_to(other.address.replace("127.0.0.1", "localhost") + "/")
        HttpClient(**FAST).get(f"{archive.address}/", read=str, headers={"Authorization": "Token secret"})
    assert "Authorization" not in other.requests[0][3]


def test_redirections_without_end_are_one_line():
    with Archive({"/": sends_to("/")}) as archive, pytest.raises(ServiceError, match="TooManyRedirects"):
        HttpClient(**FAST).get(f"{archive.address}/", read=str)


@pytest.mark.parametrize("packed", [False, True])
def test_answers_are_taken_up_to_a_size(packed, monkeypatch):
    monkeypatch.setattr(Part, "max_bytes", 100_000)
    body = bytes(10_000_000)
    answer = (200, {"Content-Encoding": "gzip"}, gzip.compress(body)) if packed else (200, {}, body)
    with Archive({"/": answer}) as archive, pytest.raises(ServiceError, match="more than 100,000 bytes when unpacked"):
        HttpClient(**FAST).get(f"{archive.address}/", read=str)


def test_files_are_taken_up_to_a_size_and_what_came_is_removed(monkeypatch, tmp_path):
    monkeypatch.setattr(FilePart, "max_bytes", 100_000)
    refused = pytest.raises(ServiceError, match="more than 100,000 bytes")
    with Archive({"/": (200, {"ETag": '"1"'}, bytes(1_000_000))}) as archive, refused:
        HttpClient(**FAST).download(f"{archive.address}/", tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def _zip(name, content, **options):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def test_an_archive_is_unpacked_up_to_a_size_whatever_it_says_of_itself(monkeypatch):
    monkeypatch.setattr(gaia_answers, "MAX_BYTES", 100_000)
    with pytest.raises(ServiceError, match="unpacks to more than 100,000 bytes"):
        gaia_answers.read_epochs(_zip("a.csv", b"1" * 10_000_000), source_id=1)


def test_an_archive_writes_nothing_wherever_its_names_lead(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ServiceError, match="has no column"):
        gaia_answers.read_epochs(_zip("../../pwned.csv", b"a,b\n1,2\n"), source_id=1)
    assert list(tmp_path.parent.glob("pwned*")) == []


def test_a_locked_archive_is_refused():
    body = bytearray(_zip("a.csv", b"a,b\n1,2\n"))
    body[6] |= 1
    body[body.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(ServiceError, match="a zip archive that is damaged .*encrypted"):
        gaia_answers.read_epochs(bytes(body), source_id=1)


@pytest.mark.parametrize(
    "url",
    [
        "https://me:correct-horse@example.org/x",
        "https://example.org/x?token=correct-horse&ra=1",
        "https://example.org/x?userpass=correct-horse",
        "https://example.org/x?api_key=correct-horse",
        "https://example.org/x?X-Amz-Signature=correct-horse",
        "https://example.org/x#correct-horse",
    ],
)
def test_addresses_are_shown_without_secrets(url):
    assert "correct-horse" not in public_url(url)
    assert public_url(url).startswith("https://example.org/x")


def test_a_secret_is_masked_in_any_spelling(monkeypatch):
    secret = "p@ss<word>&1"
    monkeypatch.setenv("X_TOKEN", secret)
    assert read_secret("X_TOKEN") == secret
    for text in (f"Token {secret}", "p%40ss%3Cword%3E%261", "p@ss&lt;word&gt;&amp;1", "said: p@ss<w..."):
        assert "ss<w" not in mask(text)
        assert "ss%3Cw" not in mask(text)
        assert "ss&lt;w" not in mask(text)


def test_a_secret_in_a_header_is_in_no_message():
    user = base64.b64encode(b"me:correct-horse").decode()
    with Archive({"/": (500, {}, b"no")}) as archive, pytest.raises(ServiceError) as caught:
        HttpClient(**FAST).get(f"{archive.address}/", read=str, headers={"Authorization": f"Basic {user}"})
    assert user not in str(caught.value)
