"""Makes service/static/govuk-frontend from the npm package of that name, without what is licensed for gov.uk alone.

    npm pack govuk-frontend@6.3.0 && tar xzf govuk-frontend-6.3.0.tgz
    python scripts/vendor_frontend.py package

The typeface and the crest may only be used on gov.uk: their rules are taken out, and a test holds that they stay out.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

TO = Path(__file__).parents[1] / "service" / "static" / "govuk-frontend"


def without_gov_uk(css: str) -> str:
    """The compiled style sheet in the reader's own sans-serif, without crest, typeface and source map."""
    css = re.sub(r"@font-face\{[^}]*\}", "", css)
    css = css.replace("GDS Transport,arial", "Helvetica Neue,Arial")
    css = re.sub(r"[a-z-]+:url\(/assets/[^;}]*;?", "", css)
    return re.sub(r"/\*# sourceMappingURL=.*?\*/", "", css).strip() + "\n"


def main(package: Path) -> None:
    built = package / "dist" / "govuk"
    css = without_gov_uk((built / "govuk-frontend.min.css").read_text(encoding="utf-8"))
    (TO / "govuk-frontend.min.css").write_text(css, encoding="utf-8")
    script = (built / "govuk-frontend.min.js").read_text(encoding="utf-8")
    script = re.sub(r"//# sourceMappingURL=.*", "", script).strip() + "\n"
    (TO / "govuk-frontend.min.js").write_text(script, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
