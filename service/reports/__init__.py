"""The reports: figures of the service, and of nobody by name. Pure: records in, tables out.

In what is passed on a number of one to four is told as just that, and others as ranges, so that it cannot be worked
out: see `suppression`. What tells it as it is says that it is the team's: see `Report.kept_to`. What is not recorded is
a group of its own, never left out.
"""

from service.reports.equality import equality
from service.reports.figures import (
    HIDDEN,
    Between,
    Cell,
    Pence,
    Percent,
    Report,
    ReportedChild,
    ReportedMatch,
    ReportedStep,
    Section,
    Service,
    Table,
    Year,
    years,
)  # fmt: skip
from service.reports.work import endings, matches, spend, waits
from service.reports.year import SECTIONS, yearly

__all__ = [
    "HIDDEN", "SECTIONS", "Between", "Cell", "Pence", "Percent", "Report", "ReportedChild", "ReportedMatch",
    "ReportedStep", "Section", "Service", "Table", "Year", "endings", "equality", "matches", "spend", "waits", "yearly",
    "years",
]  # fmt: skip
