"""The demonstration is gone when it stops: whenever it is told to, however often, no folder and no process is left."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")

PATIENCE = 300.0
Moment = Callable[[Path, Path], bool]
"""Whether it is there, by the folder for temporary files and by what the demonstration has printed."""


def a_run_is(state: str) -> Moment:
    def reached(temporary: Path, _: Path) -> bool:
        for file in temporary.glob("kith-*/kith.db"):
            try:
                with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
                    return (state,) in database.execute("SELECT state FROM runs").fetchall()
            except sqlite3.Error:
                return False
        return False

    return reached


MOMENTS: dict[str, Moment] = {
    "it has just begun": lambda temporary, _: any(temporary.glob("kith-*")),
    "it makes up the county": lambda temporary, _: any(temporary.glob("kith-*/county/children.csv")),
    "it begins to serve": lambda _, printed: "http://" in printed.read_text(),
    "a run is under way": a_run_is("running"),
    "it is at rest": a_run_is("done"),
}


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Of a short name: the address of a socket in it has a hundred signs at most."""
    with tempfile.TemporaryDirectory(prefix="k") as folder:
        yield Path(folder)


@pytest.fixture
def started(tmp_path: Path, temporary: Path) -> Iterator[subprocess.Popen[bytes]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KITH_")}
    with (tmp_path / "printed").open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-c", "from matcher.cli import main; main()", "serve", "--demo", "--port", str(port)],
            env=environment | {"TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=printed, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    yield process
    for one in of_session(process.pid):
        os.kill(one, signal.SIGKILL)
    process.wait()


def of_session(session: int) -> list[int]:
    """The processes of a session that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of, *_ = stat.read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue  # gone meanwhile
        if int(of) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("it has just begun", [signal.SIGINT]),
        ("it makes up the county", [signal.SIGTERM, signal.SIGTERM]),
        ("it begins to serve", [signal.SIGINT, signal.SIGINT]),
        ("a run is under way", [signal.SIGTERM, signal.SIGINT]),
        ("it is at rest", [signal.SIGINT]),
    ],
    ids=str,
)
def test_nothing_is_left_of_a_demonstration(
    started: subprocess.Popen[bytes], tmp_path: Path, temporary: Path, moment: str, told: list[signal.Signals]
) -> None:
    printed, until = tmp_path / "printed", time.monotonic() + PATIENCE
    while not MOMENTS[moment](temporary, printed):
        assert started.poll() is None, printed.read_text()
        assert time.monotonic() < until, printed.read_text()
        time.sleep(0.01)
    if moment == "it is at rest":
        assert "*** DEMONSTRATION: made-up people, on this machine alone" in printed.read_text()
    for one in told:
        started.send_signal(one)
    started.wait(PATIENCE)
    assert [*temporary.glob("kith-*")] == []
    while of_session(started.pid):  # who keeps count of what processes share ends with the last of them
        assert time.monotonic() < until
        time.sleep(0.05)
    assert [*temporary.glob("kith-*")] == []  # and none of them has made it anew
