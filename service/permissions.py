"""Who may do what: roles, permissions, and one line for every route.

A route without a line answers 403 to everybody, and a test fails: nothing is open by having been forgotten. Whatever a
role may do, it may do for its own authority alone; another authority's ids answer 404, as if they did not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from matcher.words import listed


class Role(StrEnum):
    COORDINATOR = "coordinator"
    MANAGER = "manager"
    ANALYST = "analyst"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Permission(StrEnum):
    """What a role may do, and what a token's scopes are made of."""

    SELF = "self"
    """One's own login."""
    READ = "read"
    """Children, volunteers, shortlists, plans: by opaque ids."""
    IDENTIFY = "identify"
    """To be shown the council's references and, where a page asks for them, names."""
    WRITE = "write"
    """Records and imports."""
    DECIDE = "decide"
    """Proposals, steps, endings, publishing a plan."""
    APPROVE = "approve"
    """Exceptions and spending; what the report of a year says; that a no was recorded by mistake."""
    RUN = "run"
    """Start and cancel runs, try out drafts of a policy."""
    LEARN = "learn"
    """Take the decisions away, pseudonymised, to learn weights from."""
    POLICY = "policy"
    """Put a policy in force."""
    LOG = "log"
    """Read the audit log."""
    PRIVACY = "privacy"
    """Answer a person who asks what is kept of them, and erase it."""
    USERS = "users"
    """Accounts and roles."""


_P = Permission
MAY: Mapping[Role, frozenset[Permission]] = {
    Role.COORDINATOR: frozenset({_P.SELF, _P.READ, _P.IDENTIFY, _P.WRITE, _P.DECIDE, _P.RUN}),
    Role.MANAGER: frozenset(
        {_P.SELF, _P.READ, _P.IDENTIFY, _P.WRITE, _P.DECIDE, _P.APPROVE, _P.RUN, _P.LEARN, _P.POLICY, _P.PRIVACY}
    ),
    Role.ANALYST: frozenset({_P.SELF, _P.READ, _P.RUN, _P.LEARN}),
    Role.AUDITOR: frozenset({_P.SELF, _P.LOG}),
    Role.ADMINISTRATOR: frozenset({_P.SELF, _P.USERS, _P.LOG}),
}


def who_may(permission: Permission) -> str:
    """The roles that hold it, in a sentence, for whoever does not: “A coordinator or a manager can.”"""
    roles = [f"an {role}" if role[0] in "aeiou" else f"a {role}" for role in Role if permission in MAY[role]]
    told = listed(roles, "or")
    return f"{told[0].upper()}{told[1:]} can."


PUBLIC = None
"""In place of a permission: anybody may ask, logged in or not."""

ROUTES: Mapping[str, Permission | None] = {
    "GET /health": PUBLIC,
    "HEAD /health": PUBLIC,  # as some who watch it ask
    "GET /ready": PUBLIC,
    "GET /metrics": PUBLIC,  # by a token of its own
    "GET /sign-in": PUBLIC,
    "POST /sign-in": PUBLIC,
    "POST /sign-out": Permission.SELF,
    "GET /": Permission.SELF,
    "GET /children": Permission.IDENTIFY,
    "POST /children/find": Permission.IDENTIFY,
    "GET /children/new": Permission.WRITE,
    "POST /children/new": Permission.WRITE,
    "GET /children/{child_id}": Permission.IDENTIFY,
    "GET /children/{child_id}/change/{part}": Permission.WRITE,
    "POST /children/{child_id}/change/{part}": Permission.WRITE,
    "GET /children/{child_id}/siblings": Permission.WRITE,
    "POST /children/{child_id}/siblings": Permission.WRITE,
    "GET /children/{child_id}/unlink": Permission.APPROVE,
    "POST /children/{child_id}/unlink": Permission.APPROVE,
    "GET /children/{child_id}/readers": Permission.IDENTIFY,
    "GET /children/{child_id}/shortlist": Permission.IDENTIFY,
    "GET /children/{child_id}/shortlist.xlsx": Permission.IDENTIFY,
    "GET /children/{child_id}/compare": Permission.IDENTIFY,
    "GET /children/{child_id}/propose/{volunteer_id}": Permission.DECIDE,
    "POST /children/{child_id}/propose/{volunteer_id}": Permission.DECIDE,
    "GET /proposals": Permission.IDENTIFY,
    "GET /proposals/{match_id}": Permission.IDENTIFY,
    "GET /proposals/{match_id}/steps/{step_id}": Permission.DECIDE,
    "POST /proposals/{match_id}/steps/{step_id}": Permission.DECIDE,
    "GET /proposals/{match_id}/take-back": Permission.DECIDE,
    "POST /proposals/{match_id}/take-back": Permission.DECIDE,
    "GET /proposals/{match_id}/asked": Permission.DECIDE,
    "POST /proposals/{match_id}/asked": Permission.DECIDE,
    "GET /proposals/{match_id}/notes": Permission.DECIDE,
    "POST /proposals/{match_id}/notes": Permission.DECIDE,
    "GET /proposals/{match_id}/share": Permission.DECIDE,
    "POST /proposals/{match_id}/share": Permission.DECIDE,
    "GET /proposals/{match_id}/for-{reader}": Permission.IDENTIFY,
    "GET /proposals/{match_id}/letters/{letter}": Permission.IDENTIFY,
    "GET /volunteers": Permission.IDENTIFY,
    "POST /volunteers/find": Permission.IDENTIFY,
    "GET /volunteers/new": Permission.WRITE,
    "POST /volunteers/new": Permission.WRITE,
    "GET /volunteers/{volunteer_id}": Permission.IDENTIFY,
    "GET /volunteers/{volunteer_id}/change/{part}": Permission.WRITE,
    "POST /volunteers/{volunteer_id}/change/{part}": Permission.WRITE,
    "GET /volunteers/{volunteer_id}/shortlist": Permission.IDENTIFY,
    "GET /volunteers/{volunteer_id}/status": Permission.WRITE,
    "POST /volunteers/{volunteer_id}/status": Permission.WRITE,
    "GET /volunteers/{volunteer_id}/exceptions/new": Permission.APPROVE,
    "POST /volunteers/{volunteer_id}/exceptions/new": Permission.APPROVE,
    "GET /exceptions/{exception_id}/withdraw": Permission.APPROVE,
    "POST /exceptions/{exception_id}/withdraw": Permission.APPROVE,
    "GET /whom-to-ring": Permission.APPROVE,
    "POST /whom-to-ring": Permission.APPROVE,
    "GET /organisations": Permission.IDENTIFY,
    "GET /organisations/{organisation_id}": Permission.WRITE,
    "POST /organisations/{organisation_id}": Permission.WRITE,
    "GET /runs": Permission.READ,
    "POST /runs": Permission.RUN,
    "GET /runs/{run_id}": Permission.READ,
    "POST /runs/{run_id}/cancel": Permission.RUN,
    "POST /runs/{run_id}/publish": Permission.DECIDE,
    "GET /policy": Permission.READ,
    "POST /policy": Permission.POLICY,
    "GET /policy/draft": Permission.RUN,
    "POST /policy/draft": Permission.RUN,
    "GET /policy/versions": Permission.READ,
    "GET /policy/versions/{number}": Permission.READ,
    "GET /import": Permission.WRITE,
    "GET /imports": Permission.WRITE,
    "POST /imports": Permission.WRITE,
    "GET /imports/templates/{sheet}": Permission.WRITE,
    "GET /imports/files/{upload_id}": Permission.WRITE,
    "GET /imports/files/{upload_id}/columns": Permission.WRITE,
    "POST /imports/files/{upload_id}/columns": Permission.WRITE,
    "GET /imports/files/{upload_id}/corrections/{sheet}": Permission.WRITE,
    "GET /imports/files/{upload_id}/confirm": Permission.WRITE,
    "POST /imports/files/{upload_id}/confirm": Permission.WRITE,
    "POST /imports/files/{upload_id}/discard": Permission.WRITE,
    "GET /imports/{import_id}": Permission.WRITE,
    "GET /reports": Permission.READ,
    "GET /reports/{report}": Permission.READ,
    "GET /reports/{report}/xlsx": Permission.READ,
    "GET /reports/budgets": Permission.APPROVE,
    "GET /reports/budgets/{code}": Permission.APPROVE,
    "POST /reports/budgets/{code}": Permission.APPROVE,
    "GET /reports/year/words": Permission.APPROVE,
    "POST /reports/year/words": Permission.APPROVE,
    "GET /users": Permission.USERS,
    "POST /users": Permission.USERS,
    "GET /users/{user_id}/close": Permission.USERS,
    "POST /users/{user_id}/close": Permission.USERS,
    "GET /users/{user_id}/role": Permission.USERS,
    "POST /users/{user_id}/role": Permission.USERS,
    "GET /welcome/{secret}": PUBLIC,
    "POST /welcome/{secret}": PUBLIC,
    "GET /log": Permission.LOG,
    "POST /log/find": Permission.LOG,
    "POST /api/v1/session": PUBLIC,
    "GET /api/v1/session": Permission.SELF,
    "DELETE /api/v1/session": Permission.SELF,
    "GET /api/v1/tokens": Permission.SELF,
    "POST /api/v1/tokens": Permission.SELF,
    "DELETE /api/v1/tokens/{token_id}": Permission.SELF,
    "GET /api/v1/session/oidc": PUBLIC,
    "GET /api/v1/session/oidc/callback": PUBLIC,
    "GET /api/v1/openapi.json": Permission.SELF,
    "GET /api/v1/children": Permission.READ,
    "GET /api/v1/children/{child_id}": Permission.READ,
    "GET /api/v1/children/{child_id}/shortlist": Permission.READ,
    "GET /api/v1/children/{child_id}/excluded": Permission.READ,
    "GET /api/v1/children/{child_id}/volunteers/{volunteer_id}/explanation": Permission.READ,
    "POST /api/v1/children": Permission.WRITE,
    "PATCH /api/v1/children/{child_id}": Permission.WRITE,
    "GET /api/v1/children/{child_id}/person": Permission.IDENTIFY,
    "PUT /api/v1/children/{child_id}/person": Permission.WRITE,
    "GET /api/v1/volunteers": Permission.READ,
    "POST /api/v1/volunteers": Permission.WRITE,
    "GET /api/v1/volunteers/{volunteer_id}": Permission.READ,
    "PATCH /api/v1/volunteers/{volunteer_id}": Permission.WRITE,
    "POST /api/v1/volunteers/{volunteer_id}/status": Permission.WRITE,
    "GET /api/v1/volunteers/{volunteer_id}/person": Permission.IDENTIFY,
    "PUT /api/v1/volunteers/{volunteer_id}/person": Permission.WRITE,
    "GET /api/v1/volunteers/{volunteer_id}/shortlist": Permission.READ,
    "GET /api/v1/families": Permission.IDENTIFY,
    "POST /api/v1/families": Permission.WRITE,
    "GET /api/v1/families/{family_id}": Permission.IDENTIFY,
    "POST /api/v1/children/{child_id}/unlink": Permission.APPROVE,
    "GET /api/v1/organisations": Permission.READ,
    "POST /api/v1/organisations": Permission.WRITE,
    "GET /api/v1/organisations/{organisation_id}": Permission.READ,
    "PATCH /api/v1/organisations/{organisation_id}": Permission.WRITE,
    "GET /api/v1/exceptions": Permission.READ,
    "POST /api/v1/exceptions": Permission.APPROVE,
    "GET /api/v1/exceptions/{exception_id}": Permission.READ,
    "POST /api/v1/exceptions/{exception_id}/withdraw": Permission.APPROVE,
    "GET /api/v1/budgets": Permission.READ,
    "GET /api/v1/budgets/{code}": Permission.READ,
    "PUT /api/v1/budgets/{code}": Permission.APPROVE,
    "GET /api/v1/matches": Permission.IDENTIFY,
    "GET /api/v1/matches/{match_id}": Permission.IDENTIFY,
    "POST /api/v1/proposals": Permission.DECIDE,
    "POST /api/v1/matches/{match_id}/steps": Permission.DECIDE,
    "POST /api/v1/matches/{match_id}/take-back": Permission.DECIDE,
    "POST /api/v1/matches/{match_id}/asked": Permission.DECIDE,
    "POST /api/v1/matches/{match_id}/notes": Permission.DECIDE,
    "GET /api/v1/decisions": Permission.LEARN,
    "GET /api/v1/policies": Permission.READ,
    "GET /api/v1/policies/current": Permission.READ,
    "GET /api/v1/policies/{number}": Permission.READ,
    "POST /api/v1/policies/check": Permission.RUN,
    "POST /api/v1/policies": Permission.POLICY,
    "GET /api/v1/imports": Permission.READ,
    "POST /api/v1/imports/check": Permission.WRITE,
    "POST /api/v1/imports": Permission.WRITE,
    "GET /api/v1/children/{child_id}/export": Permission.PRIVACY,
    "GET /api/v1/volunteers/{volunteer_id}/export": Permission.PRIVACY,
    "POST /api/v1/children/{child_id}/erasure": Permission.PRIVACY,
    "POST /api/v1/volunteers/{volunteer_id}/erasure": Permission.PRIVACY,
    "GET /api/v1/retention": Permission.PRIVACY,
    "GET /api/v1/runs": Permission.READ,
    "POST /api/v1/runs": Permission.RUN,
    "GET /api/v1/runs/{run_id}": Permission.READ,
    "POST /api/v1/runs/{run_id}/cancel": Permission.RUN,
    "GET /api/v1/runs/{run_id}/plan": Permission.READ,
    "GET /api/v1/runs/{run_id}/changes": Permission.READ,
    "POST /api/v1/runs/{run_id}/publish": Permission.DECIDE,
}
"""Method and path as the application declares them -> what the route needs."""

TELLS: Mapping[str, str] = {
    "GET /": "today",
    "GET /children": "children",
    "GET /children/{child_id}": "record",
    "GET /children/{child_id}/change/{part}": "record",
    "POST /children/{child_id}/change/{part}": "record",
    "GET /children/{child_id}/siblings": "record",
    "POST /children/{child_id}/siblings": "record",
    "GET /children/{child_id}/unlink": "record",
    "POST /children/{child_id}/unlink": "record",
    "GET /children/{child_id}/readers": "readers",
    "GET /children/{child_id}/shortlist": "shortlist",
    "GET /children/{child_id}/shortlist.xlsx": "shortlist",
    "GET /children/{child_id}/compare": "shortlist",
    "GET /children/{child_id}/propose/{volunteer_id}": "shortlist",
    "POST /children/{child_id}/propose/{volunteer_id}": "shortlist",
    "GET /proposals": "proposals",
    "GET /proposals/{match_id}": "proposal",
    "GET /proposals/{match_id}/steps/{step_id}": "proposal",
    "POST /proposals/{match_id}/steps/{step_id}": "proposal",
    "GET /proposals/{match_id}/take-back": "proposal",
    "POST /proposals/{match_id}/take-back": "proposal",
    "GET /proposals/{match_id}/asked": "proposal",
    "POST /proposals/{match_id}/asked": "proposal",
    "GET /proposals/{match_id}/notes": "proposal",
    "POST /proposals/{match_id}/notes": "proposal",
    "GET /proposals/{match_id}/share": "proposal",
    "GET /proposals/{match_id}/for-{reader}": "profile",
    "GET /proposals/{match_id}/letters/{letter}": "letter",
    "GET /volunteers/{volunteer_id}": "volunteer",
    "GET /volunteers/{volunteer_id}/change/{part}": "volunteer",
    "POST /volunteers/{volunteer_id}/change/{part}": "volunteer",
    "GET /volunteers/{volunteer_id}/shortlist": "shortlist of a volunteer",
    "GET /exceptions/{exception_id}/withdraw": "exceptions",
    "POST /exceptions/{exception_id}/withdraw": "exceptions",
    "POST /organisations/{organisation_id}": "organisation",
    "GET /runs/{run_id}": "plan",
    "POST /runs/{run_id}/publish": "plan",
    "POST /policy": "draft of a policy",
    "POST /policy/draft": "draft of a policy",
    "GET /reports/budgets/{code}": "budget",
    "POST /reports/budgets/{code}": "budget",
    "GET /imports/files/{upload_id}": "import",
    "GET /imports/files/{upload_id}/columns": "import",
    "POST /imports/files/{upload_id}/columns": "import",
    "GET /imports/files/{upload_id}/corrections/{sheet}": "import",
    "GET /imports/files/{upload_id}/confirm": "import",
    "POST /imports/files/{upload_id}/confirm": "import",
    "GET /api/v1/children": "children",
    "GET /api/v1/children/{child_id}": "record",
    "GET /api/v1/children/{child_id}/shortlist": "shortlist",
    "GET /api/v1/children/{child_id}/excluded": "excluded",
    "GET /api/v1/children/{child_id}/volunteers/{volunteer_id}/explanation": "explanation",
    "GET /api/v1/children/{child_id}/person": "person",
    "GET /api/v1/children/{child_id}/export": "export",
    "GET /api/v1/volunteers/{volunteer_id}": "volunteer",
    "GET /api/v1/volunteers/{volunteer_id}/shortlist": "shortlist of a volunteer",
    "GET /api/v1/volunteers/{volunteer_id}/export": "export",
    "GET /api/v1/families": "families",
    "GET /api/v1/families/{family_id}": "families",
    "GET /api/v1/exceptions": "exceptions",
    "GET /api/v1/exceptions/{exception_id}": "exceptions",
    "GET /api/v1/matches": "matches",
    "GET /api/v1/matches/{match_id}": "match",
    "GET /api/v1/decisions": "decisions",
    "POST /api/v1/imports/check": "import",
    "GET /api/v1/retention": "retention",
    "GET /api/v1/runs": "run",
    "GET /api/v1/runs/{run_id}": "run",
    "GET /api/v1/runs/{run_id}/plan": "plan",
    "GET /api/v1/runs/{run_id}/changes": "changes",
}
"""Every route that tells facts of children, so far as it does -> the word under which the audit log has who read them;
`pages/log.READ` says it as a sentence.

What a change answers with is in the entry of the change.
"""


def table() -> str:
    """The routes and the roles as the Markdown table of docs/permissions.md."""
    lines = ["| route | " + " | ".join(Role) + " | in the log as |", "|---" * (2 + len(Role)) + "|"]
    for route, needs in ROUTES.items():
        cells = ["anybody" if needs is PUBLIC else "yes" if needs in MAY[role] else "–" for role in Role]
        lines.append(f"| `{route}` | " + " | ".join([*cells, TELLS.get(route, "–")]) + " |")
    return "\n".join(lines)
