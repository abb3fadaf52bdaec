"""Debian's promtool and Prometheus, given what the compiler emits."""

import json
import re
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from tests.ran import ran
from tests.servers.programs import program

from vmferry.model.manifest import KubeObject

_PATIENCE = 60.0  # seconds


def write_rules(folder: Path, rules: list[KubeObject], *, hasty: bool = False) -> list[Path]:
    """Write PrometheusRules as rule files, as the Prometheus Operator does; ``hasty`` ones alert at once."""
    paths = []
    for rule in rules:
        text = json.dumps(rule["spec"])
        if hasty:
            text = re.sub(r'"interval": "\d+m", ', "", re.sub(r'"for": "\d+m"', '"for": "1s"', text))
        path = folder / f"{rule['metadata']['name']}.yaml"
        path.write_text(text)
        paths.append(path)
    return paths


def check_rules(paths: list[Path]) -> None:
    """Fail if promtool finds fault with a rule file."""
    done = subprocess.run([program("promtool"), "check", "rules", *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    ran("Prometheus", lambda: version(), "promtool checks and tests the alerts, and a server raises and resolves them")


def version() -> str:
    """Return the version of Prometheus."""
    said = subprocess.run([program("prometheus"), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\S+)", said)
    assert found is not None
    return found[1]


def unit_test(folder: Path, rules: list[Path], series: dict[str, str], expected: dict[str, dict[str, float]]) -> None:
    """Run promtool's unit tests: ``expected`` are the values of expressions by time, each a sum or 0."""
    tests = {
        "rule_files": [str(path) for path in rules],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": f"sum({expr}) or vector(0)",
                        "eval_time": at,
                        "exp_samples": [{"labels": "{}", "value": value}],
                    }
                    for expr, values in expected.items()
                    for at, value in values.items()
                ],
            }
        ],
    }
    path = folder / "test.yaml"
    path.write_text(yaml.safe_dump(tests))
    done = subprocess.run([program("promtool"), "test", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Exporter:
    """An exporter whose metrics the test states, as text in Prometheus' format."""

    def __init__(self) -> None:
        self.metrics = ""
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = exporter.metrics.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()


class Server(NamedTuple):
    """A running Prometheus."""

    port: int

    def ask(self, path: str) -> Any:
        """Return what its API answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)

    def alerts(self) -> dict[str, list[dict[str, Any]]]:
        """Return the alerts that fire, by name."""
        found: dict[str, list[dict[str, Any]]] = {}
        for alert in self.ask("alerts")["data"]["alerts"]:
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], []).append(alert)
        return found

    def until(self, names: set[str]) -> dict[str, list[dict[str, Any]]]:
        """Wait until exactly these alerts fire, and return them."""
        end = time.monotonic() + _PATIENCE
        while (found := self.alerts()).keys() != names:
            assert time.monotonic() < end, f"{sorted(found)} fire, not {sorted(names)}"
            time.sleep(0.2)
        return found


@contextmanager
def running(folder: Path, rules: list[Path], exporter: Exporter) -> Iterator[Server]:
    """Run a Prometheus that scrapes the exporter and evaluates the rules twice a second."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "400ms", "evaluation_interval": "500ms"},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [
            {
                "job_name": "synthetic",
                "honor_labels": True,
                "static_configs": [{"targets": [f"127.0.0.1:{exporter.port}"]}],
            }
        ],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    command = [
        program("prometheus"),
        f"--config.file={folder}/prometheus.yaml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        end = time.monotonic() + _PATIENCE
        while not _ready(port):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.1)
        yield Server(port)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _ready(port: int) -> bool:
    """Return whether a server answers questions: it listens before it does, and says 503 until then."""
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as answer:
        return bool(answer.status == 200)
    return False
