"""The scripts of docs/dual-run.md on real databases: source and target on loopback, promoted without losing a row."""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.servers.programs import program

SCRIPTS = Path(__file__).parents[2] / "examples" / "dual-run" / "replication"
_PATIENCE = 60.0  # seconds


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.2)


@contextmanager
def folder_of(user: str) -> Iterator[Path]:
    """Yield a directory that a server's user owns: databases refuse to run as root."""
    folder = Path(tempfile.mkdtemp(prefix="vmferry-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Database:
    """What both kinds of database have: writers, and the scripts."""

    kind: str

    def sql(self, side: str, text: str) -> str:
        """Run a statement at a side, and return what it prints."""
        raise NotImplementedError

    def start(self, side: str) -> None:
        raise NotImplementedError

    def settings(self) -> dict[str, str]:
        """Return the environment of the scripts."""
        raise NotImplementedError

    def user(self) -> tuple[str, ...]:
        """Return what runs a command as the user of the servers."""
        raise NotImplementedError

    def run(self, script: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a script of the example."""
        environment = os.environ | self.settings() | {"PATIENCE": "30"} | more
        command = [*self.user(), "bash", str(self.scripts / f"{script}.sh")]
        return subprocess.run(
            command, env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=120
        )

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scripts = folder / "scripts"  # where the user of the servers can read them
        shutil.copytree(SCRIPTS / self.kind, self.scripts)
        self.ports = {"source": free_port(), "target": free_port()}

    def insert(self, side: str, number: int) -> None:
        self.sql(side, " ".join(("insert into shop.orders values", f"({number})")))

    def rows(self, side: str) -> int:
        return int(self.sql(side, "select count(*) from shop.orders"))


class Writer:
    """A client that writes to the source for as long as it may, and counts what was committed."""

    def __init__(self, database: Database) -> None:
        self.database, self.committed, self._stop = database, 0, False
        self.thread = threading.Thread(target=self._write, daemon=True)
        self.thread.start()

    def _write(self) -> None:
        while not self._stop:
            try:
                self.database.insert("source", self.committed + 1)
            except subprocess.CalledProcessError:
                return
            self.committed += 1

    def stop(self) -> None:
        self._stop = True
        self.thread.join(timeout=_PATIENCE)


class PostgreSQL(Database):
    kind = "postgresql"

    def user(self) -> tuple[str, ...]:
        as_root = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
        return as_root if os.geteuid() == 0 else ()

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        self.bin = programs[-1].parent if programs else Path(program("initdb")).parent
        self._as_postgres(self.bin / "initdb", "--pgdata", folder / "source", "--auth", "trust", "--no-sync")
        self.start("source")
        self.sql("source", "create schema shop")
        self.sql("source", "create table shop.orders (id bigint primary key)")

    def _as_postgres(self, *command: Any) -> str:
        done = subprocess.run(
            [*self.user(), *map(str, command)], cwd="/", capture_output=True, text=True, check=True, timeout=120
        )
        return done.stdout.strip()

    def start(self, side: str) -> None:
        options = f"-p {self.ports[side]} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = self.folder / f"{side}.log"
        self._as_postgres(self.bin / "pg_ctl", "--wait", "-D", self.folder / side, "-l", log, "-o", options, "start")

    def stop(self, side: str) -> None:
        self._as_postgres(self.bin / "pg_ctl", "--wait", "-D", self.folder / side, "-m", "fast", "stop")

    def sql(self, side: str, text: str) -> str:
        connection = f"host=127.0.0.1 port={self.ports[side]} user=postgres dbname=postgres"
        return self._as_postgres("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", connection, "-c", text)

    def settings(self) -> dict[str, str]:
        found = {
            side.upper(): f"host=127.0.0.1 port={port} user=postgres dbname=postgres connect_timeout=5"
            for side, port in self.ports.items()
        }
        return found | {"PGDATA": str(self.folder / "target"), "PATH": f"{self.bin}:{os.environ['PATH']}"}

    def set_up(self) -> None:
        done = self.run("set-up")
        assert done.returncode == 0, done.stderr
        self.start("target")

    def can_write(self, side: str) -> bool:
        with suppress(subprocess.CalledProcessError):
            self.sql(side, "insert into shop.orders values (-1); delete from shop.orders where id = -1")
            return True
        return False


class MariaDB(Database):
    kind = "mariadb"

    def user(self) -> tuple[str, ...]:
        return ()

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.servers: dict[str, subprocess.Popen[bytes]] = {}
        for side in self.ports:
            subprocess.run(
                [program("mariadb-install-db"), "--no-defaults", "--user=mysql", f"--datadir={folder / side}"],
                capture_output=True,
                check=True,
                timeout=120,
            )
            self.start(side)
            login = "user=admin\npassword=it's \\\\ secret\n"
            text = f"[client]\nhost=127.0.0.1\nport={self.ports[side]}\nprotocol=tcp\n{login}"
            (folder / f"{side}.cnf").write_text(text)
            self._as_root(
                side,
                "create user admin@'127.0.0.1' identified by 'it''s \\\\ secret';"
                "grant all on *.* to admin@'127.0.0.1' with grant option",
            )
        (folder / "replication.cnf").write_text("[client]\nuser=replicator\npassword=it's \\\\ secret\n")
        self.sql("source", "create user replicator@'127.0.0.1' identified by 'it''s \\\\ secret'")
        self.sql("source", "grant replication slave on *.* to replicator@'127.0.0.1'")
        self.sql("source", "create user shop@'127.0.0.1' identified by 'shop'")
        self.sql("source", "create database shop")
        self.sql("source", "create table shop.orders (id bigint primary key) engine=innodb")
        self.sql("source", "grant all on shop.* to shop@'127.0.0.1'")
        self.sql("target", "create user shop@'127.0.0.1' identified by 'shop'")
        self.sql("target", "grant all on shop.* to shop@'127.0.0.1'")

    def start(self, side: str) -> None:
        number = [*self.ports].index(side) + 1
        command = [program("mariadbd"), "--no-defaults", "--user=mysql", f"--datadir={self.folder / side}"]
        command += [f"--port={self.ports[side]}", f"--socket={self.folder / side}.sock", "--bind-address=127.0.0.1"]
        command += [f"--server-id={number}", "--log-bin=bin", "--skip-name-resolve", f"--gtid-domain-id={number}"]
        with (self.folder / f"{side}.log").open("ab") as log:
            self.servers[side] = subprocess.Popen(command, stdout=log, stderr=log)
        until(lambda: (self.folder / f"{side}.sock").exists() and self._answers(side))

    def _answers(self, side: str) -> bool:
        with suppress(subprocess.CalledProcessError):
            self._as_root(side, "select 1")
            return True
        assert self.servers[side].poll() is None, (self.folder / f"{side}.log").read_text()
        return False

    def stop(self, side: str) -> None:
        self.servers[side].terminate()
        self.servers[side].wait(timeout=_PATIENCE)

    def _as_root(self, side: str, text: str) -> None:
        command = [program("mariadb"), "--no-defaults", f"--socket={self.folder / side}.sock", "--execute", text]
        subprocess.run(command, capture_output=True, check=True, timeout=60)

    def sql(self, side: str, text: str, *, user: str = "") -> str:
        login = [f"--user={user}", f"--password={user}"] if user else []
        command = [program("mariadb"), f"--defaults-extra-file={self.folder / f'{side}.cnf'}", *login]
        command += ["--batch", "--skip-column-names", "--execute", text]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    def settings(self) -> dict[str, str]:
        return {
            "SOURCE": str(self.folder / "source.cnf"),
            "TARGET": str(self.folder / "target.cnf"),
            "REPLICATION": str(self.folder / "replication.cnf"),
            "DATABASES": "shop",
            "HOST": "127.0.0.1",
            "PORT": str(self.ports["source"]),
        }

    def set_up(self) -> None:
        done = self.run("set-up")
        assert done.returncode == 0, done.stderr

    def can_write(self, side: str) -> bool:
        with suppress(subprocess.CalledProcessError):
            self.sql(side, "insert into shop.orders values (-1); delete from shop.orders where id = -1", user="shop")
            return True
        return False


@pytest.fixture(params=[PostgreSQL, MariaDB])
def database(request: pytest.FixtureRequest) -> Iterator[PostgreSQL | MariaDB]:
    kind: type[PostgreSQL] | type[MariaDB] = request.param
    program("psql" if kind is PostgreSQL else "mariadbd")
    with folder_of("postgres" if kind is PostgreSQL else "mysql") as folder:
        made = kind(folder)
        try:
            yield made
        finally:
            for side in ("target", "source"):
                with suppress(subprocess.SubprocessError, KeyError):
                    made.stop(side)


def test_a_replica_is_promoted_without_losing_a_row_that_was_committed(database: PostgreSQL | MariaDB) -> None:
    database.sql("source", "insert into shop.orders values (0)")
    writer = Writer(database)
    until(lambda: writer.committed > 3)
    database.set_up()
    so_far = writer.committed
    until(lambda: writer.committed > so_far + 3)
    assert not database.can_write("target")
    refused = database.run("caught-up")
    assert (refused.returncode, "takes writes" in refused.stderr) == (1, True)
    refused = database.run("promote")
    assert (refused.returncode, "takes writes" in refused.stderr) == (1, True)
    assert not database.can_write("target")

    writing = writer.committed
    assert database.run("stop-writes").returncode == 0
    if database.kind == "postgresql":  # MariaDB's administrator is exempt: docs/dual-run.md
        writer.thread.join(timeout=_PATIENCE)
        assert not writer.thread.is_alive()
    writer.stop()
    assert writer.committed >= writing
    assert not database.can_write("source")
    done = database.run("caught-up")
    assert (done.returncode, done.stdout.startswith("caught up")) == (0, True), done.stderr
    assert database.rows("source") == database.rows("target") == writer.committed + 1

    done = database.run("promote")
    assert (done.returncode, done.stdout.strip()) == (0, "promoted"), done.stderr
    assert database.run("promote").returncode == 0  # a second time does nothing
    assert database.can_write("target")
    assert not database.can_write("source")
    assert database.rows("target") == writer.committed + 1


def test_after_a_roll_back_the_source_takes_writes_again(database: PostgreSQL | MariaDB) -> None:
    database.set_up()
    assert database.run("stop-writes").returncode == 0
    assert database.run("caught-up").returncode == 0
    assert database.run("promote").returncode == 0
    refused = database.run("resume-writes")
    assert (refused.returncode, "is a primary" in refused.stderr) == (1, True)
    database.stop("target")
    done = database.run("resume-writes")
    assert done.returncode == 0, done.stderr
    until(lambda: database.can_write("source"))


def test_a_replica_that_lags_has_not_caught_up(database: PostgreSQL | MariaDB) -> None:
    database.set_up()
    pause = {"postgresql": "select pg_wal_replay_pause()", "mariadb": "stop slave"}[database.kind]
    database.sql("target", pause)
    database.sql("source", "insert into shop.orders values (1)")
    assert database.run("stop-writes").returncode == 0
    done = database.run("caught-up", PATIENCE="2")
    assert (done.returncode, "not caught up" in done.stderr) == (1, True)
