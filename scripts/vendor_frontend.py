"""Makes service/static/govuk-frontend and service/static/htmx from the npm packages of those names.

    npm pack govuk-frontend@6.3.0 htmx.org@2.0.11
    for one in govuk-frontend htmx.org; do mkdir $one && tar xzf $one-*.tgz -C $one; done
    python scripts/vendor_frontend.py .

The design system's typeface and crest may only be used on gov.uk: their rules are taken out, and a test holds that they
stay out.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

TO = Path(__file__).parents[1] / "service" / "static"


def without_gov_uk(css: str) -> str:
    """The compiled style sheet in the reader's own sans-serif, without crest, typeface and source map."""
    css = re.sub(r"@font-face\{[^}]*\}", "", css)
    css = css.replace("GDS Transport,arial", "Helvetica Neue,Arial")
    css = re.sub(r"[a-z-]+:url\(/assets/[^;}]*;?", "", css)
    return re.sub(r"/\*# sourceMappingURL=.*?\*/", "", css).strip() + "\n"


def design_system(package: Path) -> None:
    built, to = package / "dist" / "govuk", TO / "govuk-frontend"
    css = without_gov_uk((built / "govuk-frontend.min.css").read_text(encoding="utf-8"))
    (to / "govuk-frontend.min.css").write_text(css, encoding="utf-8")
    script = (built / "govuk-frontend.min.js").read_text(encoding="utf-8")
    script = re.sub(r"//# sourceMappingURL=.*", "", script).strip() + "\n"
    (to / "govuk-frontend.min.js").write_text(script, encoding="utf-8")


def htmx(package: Path) -> None:
    shutil.copyfile(package / "dist" / "htmx.min.js", TO / "htmx" / "htmx.min.js")
    shutil.copyfile(package / "LICENSE", TO / "htmx" / "LICENSE.txt")


if __name__ == "__main__":
    here = Path(sys.argv[1])
    design_system(here / "govuk-frontend" / "package")
    htmx(here / "htmx.org" / "package")
