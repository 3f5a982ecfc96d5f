"""Every notebook runs whole, and lies in the repository without its outputs."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_there_are_the_four_notebooks():
    assert [notebook.stem[:2] for notebook in NOTEBOOKS] == ["1_", "2_", "3_", "4_"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_begins_with_its_question_and_needs_matcher_alone(path):
    notebook = nbformat.read(path, as_version=4)
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert first.source.splitlines()[0].endswith("?")
    assert "**The question.**" in first.source
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    roots = {line.split()[1].split(".")[0] for line in code.splitlines() if line.startswith(("import ", "from "))}
    assert roots <= {"matcher", "numpy", "pandas", "datetime", "dataclasses", "pathlib", "tempfile"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_whole(path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=400, resources={"metadata": {"path": str(path.parent)}}).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    pictures = [cell for cell in code for output in cell.outputs if "image/png" in output.get("data", {})]
    asked = [cell for cell in code if any(f"{name}(" in cell.source for name in PICTURES)]
    assert len(pictures) == len(asked) > 0
    wrong = [output for cell in code for output in cell.outputs if output.get("name") == "stderr"]
    assert not wrong, wrong


PICTURES = ("bars_of", "frontier_of", "indices_of", "map_of", "sets_of", "table_of", "weights_of", ".picture")
