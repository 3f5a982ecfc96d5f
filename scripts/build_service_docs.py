"""Write into docs/ what the service says of itself: the settings, the workflow, who may do what. Tests hold all three.

python scripts/build_service_docs.py
"""

from __future__ import annotations

import re
from pathlib import Path

from service.permissions import table as permissions
from service.reasons import consequences
from service.settings import settings_table
from service.workflow import diagram, speakers
from service.workflow import table as steps

DOCS = Path(__file__).parents[1] / "docs"


def write(file: str, pattern: str, content: str) -> None:
    """Puts content in place of what matches, which must be there."""
    path = DOCS / file
    text, count = re.subn(pattern, lambda _: content, path.read_text(encoding="utf-8"), count=1, flags=re.S)
    if not count:
        raise SystemExit(f"{file} has no place for it: {pattern}")
    path.write_text(text, encoding="utf-8")


write("workflow.md", r"```mermaid\n.*?```", f"```mermaid\n{diagram()}\n```")
write("workflow.md", r"\| reason \|.*?(?=\n\n)", consequences())
for step in ("end", "pause"):
    table = speakers(step)
    write("workflow.md", rf"{re.escape(table.splitlines()[0])}.*?(?=\n\n)", table)
write("workflow.md", r"(?<=```\n\n)(\| step.*)?\Z", f"{steps()}\n")
write("operations.md", r"\| setting \|.*?(?=\n\n)", settings_table())
write("permissions.md", r"\| route \|.*\Z", f"{permissions()}\n")
