"""The scripts of docs/checks.md on real servers: asked at the source, moved, asked in the target, and one row lost."""

import getpass
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.comparing import Compared
from tests.servers.programs import program
from tests.servers.test_replication import MariaDB, PostgreSQL, free_port, until
from tests.servers.test_replication import database as database  # the fixture

SCRIPTS = Path(__file__).parents[2] / "examples" / "dual-run" / "checks"


def compared(top: Path, kind: str, **secret: str) -> Compared:
    """Return a migration with one of the scripts, and its Secret."""
    made = Compared(top, (SCRIPTS / f"{kind}.sh").read_text())
    for key, text in secret.items():
        file = made.credentials / "reader" / key.replace("_", "-")
        file.write_text(text)
        file.chmod(0o600)
    return made


def outcome(moving: Compared) -> str:
    """Return how the last comparison went."""
    last = max(moving.entries("check"), key=lambda each: each["finished"])
    return str(last.get("cause", last["outcome"]))


def moved(moving: Compared, **source: str) -> bytes:
    """Ask the source, record it, and move the group."""
    done = moving.before(**source)
    assert done.returncode == 0, done.stderr
    assert moving.record(done.stdout).code == 0
    moving.moved("migrating", "cutover")
    return done.stdout


def test_a_promoted_database_has_every_row_and_one_that_is_lost_is_found(
    database: PostgreSQL | MariaDB, tmp_path: Path
) -> None:
    moving = compared(tmp_path / "repository", database.kind, username="reader", password="it's $(id) secret")
    if isinstance(database, PostgreSQL):
        database.sql("source", "create role reader login")
        database.sql("source", "grant usage on schema shop to reader")
        database.sql("source", "create table shop.notes (at timestamptz, text text, data bytea)")
        database.sql("source", "insert into shop.notes values ('2027-01-11 20:00+01', E'it''s\\n\u2019', '\\x00ff')")
        database.sql("source", "grant select on all tables in schema shop to reader")
    else:
        database.sql("source", "create table shop.`odd ``name` (text text) engine=innodb")
        database.sql("source", "insert into shop.`odd ``name` values ('it''s')")
        for side in ("source", "target"):
            secret = "it''s $(id) secret"
            database.sql(side, f"create user reader@'127.0.0.1' identified by '{secret}'")
            database.sql(side, "grant select on shop.* to reader@'127.0.0.1'")
    database.sql("source", "insert into shop.orders values (1), (2), (3)")
    database.set_up()
    database.sql("source", "insert into shop.orders values (4)")
    assert database.run("stop-writes").returncode == 0
    environment = {
        side: {
            "PGPORT": str(port),
            "PORT": str(port),
            "DATABASE": "postgres" if database.kind == "postgresql" else "shop",
        }
        for side, port in database.ports.items()
    }
    moved(moving, **environment["source"])
    assert database.run("caught-up").returncode == 0
    assert database.run("promote").returncode == 0

    moving.after(**environment["target"])
    assert outcome(moving) == "succeeded"
    database.sql("target", "delete from shop.orders where id = 3")
    moving.after(**environment["target"])
    assert outcome(moving) == "data-differ"
    database.sql("target", "insert into shop.orders values (5)")  # as many rows, and another one
    assert moving.run(**environment["target"])[1] != moving.run(**environment["source"])[1]
    assert "secret" not in (moving.spec / "evidence.yaml").read_text()


def test_a_database_that_is_down_has_no_value(database: PostgreSQL | MariaDB, tmp_path: Path) -> None:
    moving = compared(tmp_path / "repository", database.kind, username="reader", password="secret")
    database.stop("source")
    port = str(database.ports["source"])
    done = moving.before(PGPORT=port, PORT=port)
    assert (done.returncode, b'"values":[\n]' in done.stdout) == (1, True)
    assert b"FAILED: " in done.stderr
    assert b"secret" not in done.stderr


@contextmanager
def sshd(folder: Path) -> Iterator[int]:
    """Yield the port of an SSH server on loopback; its keys are in the folder."""
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True, timeout=60)
    Path("/run/sshd").mkdir(exist_ok=True)
    port = free_port()
    options = {
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "user.pub",
        "PidFile": "none",
        "StrictModes": "no",
        "PermitRootLogin": "prohibit-password",
        "PasswordAuthentication": "no",
    }
    file = folder / "sshd_config"
    file.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    server = subprocess.Popen(
        [program("sshd"), "-D", "-e", "-f", str(file), "-p", str(port)], stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: _listens(port))
        yield port
    finally:
        server.terminate()
        server.wait(timeout=60)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def test_a_directory_over_ssh_is_the_same_until_a_file_differs(tmp_path: Path) -> None:
    program("sshd")
    source, target = tmp_path / "it's $(id)", tmp_path / "target"
    source.mkdir()
    (source / "a file\nof two lines").write_bytes(b"\0\xff")
    (source / "empty").write_bytes(b"")
    with sshd(tmp_path) as port:
        key = (tmp_path / "host.pub").read_text()
        moving = compared(
            tmp_path / "repository",
            "files",
            username=getpass.getuser(),
            ssh_privatekey=(tmp_path / "user").read_text(),
            known_hosts=f"web-01 {key}",
        )
        (moving.credentials / "reader" / "known-hosts").rename(moving.credentials / "reader" / "known_hosts")
        moved(moving, PORT=str(port), DIRECTORY=str(source))
        shutil.copytree(source, target)
        moving.after(PORT=str(port), DIRECTORY=str(target))
        assert outcome(moving) == "succeeded"
        (target / "empty").rename(target / "renamed")
        moving.after(PORT=str(port), DIRECTORY=str(target))
        assert outcome(moving) == "data-differ"
        code, message = moving.run(PORT=str(port), DIRECTORY=str(tmp_path / "missing"))
        assert (code, "No such file" in message) == (45, True)
        (moving.credentials / "reader" / "known_hosts").write_text("")
        code, message = moving.run(PORT=str(port), DIRECTORY=str(target))
        assert (code, "Host key verification failed" in message) == (45, True)
