"""The server of pages: raw requests, as no browser sends them."""

import socket

import pytest
from make_pages import make_served, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(make_served(tmp_path_factory.mktemp("serve"))) as made:
        yield made


def send(server, request):
    """Answer to the bytes of a request."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=300) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def ask(server, target, *, more=b""):
    host = f"Host: 127.0.0.1:{server.server_port}\r\n".encode()
    return send(server, b"GET " + target + b" HTTP/1.1\r\n" + host + b"Connection: close\r\n" + more + b"\r\n")


@pytest.mark.parametrize(
    "target",
    [
        b"//[",
        b"//[::1",
        b"/%00",
        b"/DEMO_/pages/RA010/a%00.html",
        b"/DEMO_/pages/RA010/" + b"x" * 5000 + b".html",
        b"/DEMO_/pages/RA010/%ff%fe.html",
        b"/DEMO_/pages/RA010/..%2f..%2freport.html",
        b"/DEMO_/pages/RA010/%2e%2e/%2e%2e/00_config.html",
        b"/DEMO_/pages/RA010/..\\..\\x.html",
        b"/DEMO_/pages/RA010/%5c..%5cx.html",
        b"/DEMO_/pages/RA\xd9\xa1/x.html",
        b"/DEMO_/./RA010_analysis.h5",
        b"/DEMO_//RA010_analysis.h5",
        b"/DEMO_/plots/../RA010_analysis.h5",
        b"/./DEMO_/../bins.json",
        b"/DEMO_%2freport.html%00",
        b"/DEMO_/page?name=" + b"x" * 20000,
        b"/DEMO_/page?name=%0d%0aSet-Cookie:%20a=b",
        b"http://evil.example/../../etc/passwd",
        b"/.snakemake/log",
        b"/database/postgres/PG_VERSION",
        b"/DEMO_/logs/analyze/RA010.log",
    ],
)
def test_no_request_reads_another_file_or_ends_in_a_traceback(server, target, capfd):
    answer = ask(server, target)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0].split()[1] in (b"404", b"400")
    assert b"Set-Cookie" not in head
    assert b"HDF" not in body
    assert b"root:" not in body
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "host",
    [
        None,
        b"@",
        b"127.0.0.1",
        b"127.0.0.1.evil.example",
        b"[::1]:80",
        b"evil.example",
        b"evil.example:80",
        b"localhost:1",
    ],
)
def test_a_name_that_leads_to_this_machine_is_not_enough(server, host):
    named = b"" if host is None else b"Host: " + host + b"\r\n"
    answer = send(server, b"GET /DEMO_/report.html HTTP/1.1\r\n" + named + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 403")
    assert b"the report" not in answer


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET " + b"/" * 70000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"PUT /DEMO_/report.html HTTP/1.1\r\nContent-Length: 4\r\n\r\nevil",
        b"DELETE /DEMO_/report.html HTTP/1.1\r\n\r\n",
        b"OPTIONS / HTTP/1.1\r\n\r\n",
        b"TRACE / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_request_to_read_is_refused(server, request_, capfd):
    named = b" HTTP/1.1\r\nHost: localhost:%d\r\n" % server.server_port  # the host is not what is wrong
    assert b"the report" not in send(server, request_.replace(b" HTTP/1.1\r\n", named))
    assert (server.plan.data_root / "DEMO_/report.html").read_text() == "the report"
    assert "Traceback" not in capfd.readouterr().err


def test_an_error_of_the_program_is_one_line_on_a_page(server, monkeypatch, capfd):
    monkeypatch.setattr("vo_lib.serve.home_page", lambda *_: 1 / 0)
    answer = ask(server, b"/")
    assert answer.startswith(b"HTTP/1.0 500")
    assert b"This page cannot be made (ZeroDivisionError: division by zero)." in answer
    assert b"Content-Security-Policy: default-src 'none'" in answer
    assert capfd.readouterr().err == ""


def test_it_listens_for_this_machine_alone(server):
    assert server.server_address[0] == "127.0.0.1"
