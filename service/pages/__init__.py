"""HTML pages, thin like the API: they read what is asked, call the rooms below, and put the answer into a template.

A page is a route with a line in `permissions.ROUTES` and a template; `html.render` gives it the frame. Every page works
without script, and nothing in it comes from another machine.
"""

from service.pages import (
    accounts,
    asking,
    budgets,
    children,
    entering,
    exceptions,
    import_columns,
    imports,
    log,
    notes,
    organisations,
    policy,
    proposals,
    proposing,
    reports,
    runs,
    sharing,
    shortlists,
    siblings,
    sign_in,
    taking_back,
    today,
    volunteers,
    whom_to_ring,
)

ROUTERS = (
    sign_in.router, today.router, entering.router, siblings.router, children.router, shortlists.router,
    proposing.router, proposals.router, taking_back.router, asking.router, notes.router, sharing.router,
    volunteers.router, runs.router, policy.router, imports.router, imports.as_said, import_columns.router,
    budgets.router, reports.router, log.router, accounts.router, exceptions.router, organisations.router,
    whom_to_ring.router,
)  # fmt: skip
"""Every page."""
