"""What each hostile file of tests/matcher/test_files.py takes to be refused: python benchmarks/hostile.py

Each in a process of its own, so that no file hides behind another: seconds of processor time and of the clock from the
first byte read to the refusal, and the most memory that the whole process ever held, Python and Kith included.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "matcher"))

from test_files import HOSTILE

PROGRAM = """
import json, pathlib, sys, time
from matcher.reading.cells import RefusedError
from matcher.reading.files import read_grid
clock, processor = time.perf_counter(), time.process_time()
try:
    read_grid(pathlib.Path(sys.argv[1]))
    told = None
except RefusedError as error:
    told = str(error.wrong)
clock, processor = time.perf_counter() - clock, time.process_time() - processor
memory = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([told, processor, clock, int(memory.split()[1]) / 1024]))
"""


def measured(name: str, folder: Path) -> tuple[float, float, float]:
    """Seconds of processor and of clock, and MiB; ends the program if the file is not refused."""
    file, content, beginning = HOSTILE[name]
    (folder / file).write_bytes(content())
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder / file)], capture_output=True, text=True, check=True
    )
    told, processor, clock, memory = json.loads(run.stdout)
    if not (told or "").startswith(beginning):
        sys.exit(f"{name}: not refused as it should be, but {told!r}")
    return processor, clock, memory


def main() -> None:
    print(f"{'':34}{'processor':>10}{'clock':>10}{'memory':>12}")
    most = (0.0, 0.0, 0.0)
    for name in HOSTILE:
        with TemporaryDirectory() as folder:
            taken = measured(name, Path(folder))
        most = tuple(max(pair) for pair in zip(most, taken, strict=True))
        print(f"{name:34}{taken[0]:>8.2f} s{taken[1]:>8.2f} s{taken[2]:>8.0f} MiB", flush=True)
    print(f"{'the largest of each':34}{most[0]:>8.2f} s{most[1]:>8.2f} s{most[2]:>8.0f} MiB")


if __name__ == "__main__":
    main()
