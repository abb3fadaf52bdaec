"""`vmferry import vcenter`: credentials, certificates, errors, and what it writes."""

import hashlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.importers.vcsim import PASSWORD, USER, Server, running
from tests.invocation import Result, process, vmferry


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("vcsim"), "-cluster", "2") as found:
        yield found


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMFERRY_VCENTER_USER", USER)
    monkeypatch.setenv("VMFERRY_VCENTER_PASSWORD", PASSWORD)


def _import(url: str, out: Path, *more: str | Path, stdin: bytes = b"") -> Result:
    return vmferry("import", "vcenter", url, "--source", "vc1", "--out", out, *more, stdin=stdin)


def _files(out: Path) -> list[str]:
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def _thumbprint(server: Server, algorithm: str) -> str:
    digest = hashlib.new(algorithm, ssl.PEM_cert_to_DER_cert(server.certificate)).hexdigest()
    return ":".join(re.findall("..", digest)).upper()


def _assert_fails(result: Result, *words: str) -> None:
    assert result.code == 1, result.text
    for word in words:
        assert word in result.err
    assert "internal error" not in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_each_cluster_has_a_file_and_so_have_permissions_and_surroundings(server: Server, tmp_path: Path) -> None:
    result = _import(server.url, tmp_path, "--insecure")
    assert result.code == 0, result.text
    parts = ("dc0_c0", "dc0_c1", "no-cluster", "permissions", "surroundings")
    assert _files(tmp_path) == [f"vc1/{part}.yaml" for part in parts]
    assert "vc1: 6 VMs, 6 disks, 6 NICs" in result.out
    assert ", 3 permissions" in result.out
    assert "note: the names of 3 users and groups with permissions stay in vCenter" in result.err


def test_a_second_import_changes_no_file(server: Server, tmp_path: Path) -> None:
    _import(server.url, tmp_path, "--insecure")
    before = {name: (tmp_path / name).read_bytes() for name in _files(tmp_path)}
    again = _import(server.url, tmp_path, "--insecure")
    assert "0 files changed" in again.out
    assert {name: (tmp_path / name).read_bytes() for name in _files(tmp_path)} == before


def test_host_alone_is_enough_of_an_address(server: Server, tmp_path: Path) -> None:
    assert _import(server.authority, tmp_path, "--insecure").code == 0


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_the_right_thumbprint_is_trusted(server: Server, tmp_path: Path, algorithm: str) -> None:
    assert _import(server.url, tmp_path, "--thumbprint", _thumbprint(server, algorithm)).code == 0


def test_another_thumbprint_is_refused_before_the_password_is_sent(server: Server, tmp_path: Path) -> None:
    result = _import(server.url, tmp_path, "--thumbprint", "AB:" * 31 + "AB")
    _assert_fails(result, "another SHA256 thumbprint", _thumbprint(server, "sha256"))
    assert _files(tmp_path) == []


def test_a_certificate_is_trusted_by_its_ca(server: Server, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(server.certificate)
    assert _import(server.url, tmp_path / "out", "--ca", ca).code == 0


def test_an_untrusted_certificate_says_what_to_do(server: Server, tmp_path: Path) -> None:
    result = _import(server.url, tmp_path)
    _assert_fails(result, "is not trusted", "--ca", f"--thumbprint {_thumbprint(server, 'sha256')}")
    assert _files(tmp_path) == []


def test_a_ca_file_without_certificate_is_named(server: Server, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("nothing\n")
    _assert_fails(_import(server.url, tmp_path / "out", "--ca", ca), "ca.pem contains no PEM certificate")


def test_a_wrong_password_shows_in_no_output(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMFERRY_VCENTER_PASSWORD", "wr0ng-Secret")
    monkeypatch.setenv("VMFERRY_DEBUG", "1")
    result = _import(server.url, tmp_path, "--insecure")
    _assert_fails(result, f"refused user '{USER}' or the password")
    assert "wr0ng" not in result.text


def test_the_password_is_read_from_a_file(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VMFERRY_VCENTER_PASSWORD")
    monkeypatch.delenv("VMFERRY_VCENTER_USER")
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    result = _import(server.url, tmp_path / "out", "--insecure", "--user", USER, "--password-file", file)
    assert result.code == 0, result.text
    written = "".join((tmp_path / "out" / name).read_text() for name in _files(tmp_path / "out"))
    assert PASSWORD not in written + result.text


def test_the_password_is_asked_for(server: Server, tmp_path: Path) -> None:
    answer = process(
        *("import", "vcenter", server.url, "--source", "vc1", "--out", tmp_path, "--insecure"),
        env={"VMFERRY_VCENTER_PASSWORD": ""},
        stdin=f"{PASSWORD}\n".encode(),
    )
    assert answer.code == 0, answer.text
    assert PASSWORD not in answer.text


def test_a_password_that_is_not_utf_8_is_refused_unseen(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"secr\xff\xfet\n")
    result = _import(server.url, tmp_path / "out", "--insecure", "--password-file", file)
    assert result.code == 2
    assert "not UTF-8" in result.err
    assert "secr" not in result.err.replace("the password", "")


def test_no_option_takes_the_password() -> None:
    assert "--password " not in vmferry("import", "vcenter", "--help").out


def test_credentials_in_the_url_are_refused_unseen(tmp_path: Path) -> None:
    result = _import("https://root:geheim@vc.example.com/sdk", tmp_path)
    _assert_fails(result, "the URL contains credentials")
    assert "geheim" not in result.text


@pytest.mark.parametrize("url", ["http://vc.example.com/sdk", "https:///sdk", "https://vc.example.com/ui", "a b:c"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    _assert_fails(_import(url, tmp_path), "https://HOST/sdk")


def test_a_port_where_nothing_listens_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    _assert_fails(_import(f"https://127.0.0.1:{port}/sdk", tmp_path), f"nothing listens at 127.0.0.1:{port}")


def test_a_host_that_is_not_there_is_named(tmp_path: Path) -> None:
    _assert_fails(_import("https://vc.invalid/sdk", tmp_path), "host 'vc.invalid' not found")


def test_a_server_without_tls_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        port = plain.getsockname()[1]
        plain.listen()
        thread = _answering(plain)
        _assert_fails(_import(f"https://127.0.0.1:{port}/sdk", tmp_path), f"127.0.0.1:{port}")
        thread.join(timeout=10)


def _answering(plain: socket.socket) -> threading.Thread:
    def answer() -> None:
        connection, _ = plain.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    return thread


def test_ca_and_insecure_exclude_each_other(server: Server, tmp_path: Path) -> None:
    result = _import(server.url, tmp_path, "--insecure", "--thumbprint", "AB")
    assert result.code == 2
    assert "exclude each other" in result.err


@pytest.mark.parametrize("days", ["7", "0d", "week", "999d"])
def test_a_baseline_is_in_days(server: Server, tmp_path: Path, days: str) -> None:
    result = _import(server.url, tmp_path, "--insecure", "--baseline", days)
    assert result.code == 2
    assert "as in 7d" in result.err


def test_the_login_shows_no_password_in_its_representation() -> None:
    from vmferry.importers.vcenter.session import Login

    assert "geheim" not in f"{Login(user='u', password='geheim')!r} {Login(user='u', password='geheim')}"
