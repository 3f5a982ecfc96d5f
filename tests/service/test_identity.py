"""Logging in by an identity provider, which runs here: what it says is believed only if all of it is as it must be."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import Service
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from pydantic import HttpUrl, SecretStr
from sqlalchemy import update
from starlette.testclient import TestClient
from structlog.testing import capture_logs
from typer.testing import CliRunner

from matcher.errors import KithError
from service import auth
from service.app import create_app
from service.cli import app
from service.database.tables import User
from service.identity import Provider
from service.permissions import Role
from service.settings import Settings

EMAIL = "coordinator@north.invalid"
HTML = {"Accept": "text/html"}
TENANT = "11111111-2222-3333-4444-555555555555"


class IdentityProvider:
    """A small one: it grants a code for a challenge, and a token for the code and what solves the challenge."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.granted: dict[str, tuple[str, dict[str, Any]]] = {}
        self.calls_itself: str | None = None
        provider = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                document = provider.metadata() if "well-known" in self.path else provider.keys()
                self._answer(200, document)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                given = {name: values[0] for name, values in parse_qs(body).items()}
                self._answer(*provider.token(given, self.headers.get("Authorization", "")))

            def _answer(self, status: int, document: dict[str, Any]) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}/council"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def metadata(self) -> dict[str, Any]:
        here = self.issuer
        return {"issuer": self.calls_itself or here, "authorization_endpoint": f"{here}/authorize",
                "token_endpoint": f"{here}/token", "jwks_uri": f"{here}/keys"}  # fmt: skip

    def keys(self) -> dict[str, Any]:
        return KeySet([self.key]).as_dict(private=False)

    def grant(self, address: str, **claims: object) -> dict[str, str]:
        """What the person's browser comes back with, having been sent to an address."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
        assert asked["redirect_uri"] == "http://testserver/api/v1/session/oidc/callback"
        now = int(time.time())
        said = {"iss": self.issuer, "aud": "kith", "sub": "person-1", "iat": now, "exp": now + 60,
                "nonce": asked["nonce"], "email": EMAIL, "email_verified": True, "tid": TENANT, **claims}  # fmt: skip
        code = f"code-{len(self.granted)}"
        self.granted[code] = asked["code_challenge"], {name: one for name, one in said.items() if one is not None}
        return {"state": asked["state"], "code": code}

    def token(self, given: dict[str, str], who: str) -> tuple[int, dict[str, Any]]:
        challenge, claims = self.granted.pop(given.get("code", ""), ("", {}))
        solved = base64.urlsafe_b64encode(hashlib.sha256(given.get("code_verifier", "").encode()).digest())
        right = "Basic " + base64.b64encode(b"kith:a secret").decode()
        if solved.rstrip(b"=").decode() != challenge or who != right:
            return 400, {"error": "invalid_grant"}
        token = jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": token}


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    one = IdentityProvider()
    yield one
    one.server.shutdown()
    one.server.server_close()


def with_provider(settings: Settings, provider: IdentityProvider, **others: object) -> Settings:
    given = {"oidc_issuer": provider.issuer, "oidc_client_id": "kith", "oidc_client_secret": SecretStr("a secret"),
             "public_url": HttpUrl("http://testserver"), **others}  # fmt: skip
    return settings.model_copy(update=given)


@pytest.fixture
def browser(service: Service, provider: IdentityProvider) -> Iterator[TestClient]:
    app = create_app(with_provider(service.settings, provider))
    with TestClient(app, follow_redirects=False, raise_server_exceptions=False) as client:
        yield client


def come_back(
    browser: TestClient, provider: IdentityProvider, change: dict[str, str] | None = None, **claims: object
) -> int:
    """The status of the answer to who went to the provider and came back."""
    sent = browser.get("/api/v1/session/oidc")
    assert sent.status_code == 303
    granted = provider.grant(sent.headers["Location"], **claims)
    return browser.get("/api/v1/session/oidc/callback", params=granted | (change or {})).status_code


def test_there_and_back(service: Service, browser: TestClient, provider: IdentityProvider) -> None:
    assert come_back(browser, provider) == 303
    assert browser.get("/api/v1/session").json()["user"] == service.users["north", Role.COORDINATOR]
    assert "kith_login" not in browser.cookies


def test_who_is_not_let_in_is_told_on_the_page_to_sign_in(browser: TestClient, provider: IdentityProvider) -> None:
    """A person's browser shows what it is sent: an answer for programs would be a screen of braces."""
    sent = browser.get("/api/v1/session/oidc", headers=HTML)
    granted = provider.grant(sent.headers["Location"], email="stranger@elsewhere.invalid")
    back = browser.get("/api/v1/session/oidc/callback", params=granted, headers=HTML)
    assert (back.status_code, back.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "There is no open account for you in Kith. Ask an administrator for one." in back.text
    assert 'href="/api/v1/session/oidc"' in back.text
    again = browser.get("/api/v1/session/oidc/callback", params=granted, headers=HTML)
    assert "The identity provider&#39;s answer cannot be used. Begin again." in again.text
    assert browser.get("/api/v1/session/oidc/callback").json()["status"] == 401


def test_a_new_account_is_given_a_password_where_it_could_log_in_by_one(
    service: Service, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = with_provider(service.settings, provider)
    monkeypatch.setattr("service.settings.load_settings", lambda: settings)
    words = ["user", "add", "--authority", "North", "--name", "New"]
    coordinator = CliRunner().invoke(app, [*words, "one@north.invalid", "--role", "coordinator"]).output
    assert coordinator == "one@north.invalid signs in with the council account, at http://testserver/\n"
    administrator = CliRunner().invoke(app, [*words, "two@north.invalid", "--role", "administrator"]).output
    assert "http://testserver/welcome/" in administrator
    object.__setattr__(service.client.app.state.kith, "settings", settings)  # type: ignore[attr-defined]
    browser, invited = service.as_(Role.ADMINISTRATOR), {"name": "New", "role": "manager"}
    page = browser.post("/users", data={**invited, "email": "three@north.invalid"}, headers=HTML).text
    assert "They sign in with their council account. Give them this address." in page
    assert 'value="http://testserver/sign-in" readonly' in page


def test_the_page_to_sign_in_leads_to_the_provider(browser: TestClient, service: Service) -> None:
    refused = browser.post("/sign-in", data={"email": "nobody@example.org", "password": "a wrong password"})
    for page in (browser.get("/sign-in"), refused):
        assert 'href="/api/v1/session/oidc"' in page.text
    assert "/oidc" not in service.client.get("/sign-in").text


def test_the_account_is_bound_to_the_person_and_not_to_the_address(
    browser: TestClient, provider: IdentityProvider
) -> None:
    assert come_back(browser, provider) == 303
    assert come_back(browser, provider, sub="person-2") == 401  # somebody else who got the address
    assert come_back(browser, provider, email="new@north.invalid", email_verified=False) == 303


@pytest.mark.parametrize(
    "claims",
    [{"iss": "https://evil.example"}, {"aud": "another"}, {"nonce": "another"}, {"nonce": None}, {"exp": 1000},
     {"sub": None}, {"email_verified": False}, {"email_verified": None}, {"email": "nobody@north.invalid"}],
    ids=str,
)  # fmt: skip
def test_what_is_not_as_it_must_be_lets_nobody_in(
    browser: TestClient, provider: IdentityProvider, claims: dict[str, Any]
) -> None:
    assert come_back(browser, provider, **claims) == 401
    assert browser.get("/api/v1/session").status_code == 401


def test_why_nobody_gets_in_is_in_the_log_and_names_nobody(
    browser: TestClient, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    with capture_logs() as lines:
        assert come_back(browser, provider, aud="another", email="some.one@north.invalid") == 401
        monkeypatch.setattr(
            provider, "token", lambda *_: (400, {"error": "invalid_client", "error_description": "of Some One"})
        )
        assert come_back(browser, provider) == 401
        monkeypatch.undo()
        assert come_back(browser, provider, email_verified=None) == 401
        assert come_back(browser, provider, email="some.one@north.invalid") == 401
    told = [one["problem"] for one in lines if one["event"] == "identity provider"]
    assert told == ["InvalidClaimError invalid_claim aud", "OAuthError invalid_client", "no address vouched for",
                    "no open account"]  # fmt: skip


def test_a_provider_may_write_itself_with_a_slash_at_the_end(
    service: Service, browser: TestClient, provider: IdentityProvider
) -> None:
    provider.calls_itself = f"{provider.issuer}/"
    assert come_back(browser, provider, iss=f"{provider.issuer}/") == 303
    browser.app.state.identity._known = None  # type: ignore[attr-defined]
    assert come_back(browser, provider, iss=provider.issuer) == 401


def test_a_token_by_another_key_lets_nobody_in(browser: TestClient, provider: IdentityProvider) -> None:
    sent = browser.get("/api/v1/session/oidc")
    granted = provider.grant(sent.headers["Location"])
    provider.keys = lambda: KeySet([RSAKey.generate_key(2048, {"kid": "one"})]).as_dict(private=False)  # type: ignore[method-assign]
    browser.app.state.identity._known = None  # type: ignore[attr-defined]
    assert browser.get("/api/v1/session/oidc/callback", params=granted).status_code == 401


def test_keys_that_the_provider_has_changed_are_asked_for(browser: TestClient, provider: IdentityProvider) -> None:
    assert come_back(browser, provider) == 303
    provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    assert come_back(browser, provider) == 303


def test_the_state_and_the_challenge_are_this_browsers(
    service: Service, browser: TestClient, provider: IdentityProvider
) -> None:
    assert come_back(browser, provider, {"state": "another"}) == 401
    assert come_back(browser, provider, {"code": "another"}) == 401
    sent = browser.get("/api/v1/session/oidc")
    stolen = provider.grant(sent.headers["Location"])
    browser.get("/api/v1/session/oidc")  # a second attempt, with another verifier
    assert browser.get("/api/v1/session/oidc/callback", params=stolen).status_code == 401
    browser.cookies.clear()
    assert browser.get("/api/v1/session/oidc/callback", params=stolen).status_code == 401


def test_a_disabled_account_stays_closed(service: Service, browser: TestClient, provider: IdentityProvider) -> None:
    assert come_back(browser, provider) == 303
    with service.database.write() as session:
        user = session.get_one(User, service.users["north", Role.COORDINATOR])
        auth.disable(session, service.keys, user, by="test")
    assert browser.get("/api/v1/session").status_code == 401
    assert come_back(browser, provider) == 401


def test_another_tenant_is_refused_and_the_own_needs_no_verified_address(
    service: Service, provider: IdentityProvider
) -> None:
    app = create_app(with_provider(service.settings, provider, oidc_tenant=TENANT))
    with TestClient(app, follow_redirects=False) as browser:
        entra = {"email_verified": None, "email": None, "preferred_username": EMAIL}
        assert come_back(browser, provider, **entra, tid="another") == 401
        assert come_back(browser, provider, **entra, tid=None) == 401
        assert come_back(browser, provider, **entra) == 303


def test_beside_it_a_password_lets_in_administrators_alone(service: Service, browser: TestClient) -> None:
    for role, status in ((Role.ADMINISTRATOR, 200), (Role.MANAGER, 401)):
        with service.database.write() as session:
            auth.set_password(session.get_one(User, service.users["north", role]), "three plain words")
        given = {"email": f"{role}@north.invalid", "password": "three plain words"}
        assert browser.post("/api/v1/session", json=given).status_code == status


def test_without_the_setting_there_is_no_such_login(service: Service) -> None:
    assert service.client.get("/api/v1/session/oidc").status_code == 404
    assert service.client.get("/api/v1/session/oidc/callback").status_code == 404


def test_a_provider_that_does_not_answer_or_is_another_is_told(
    service: Service, browser: TestClient, provider: IdentityProvider
) -> None:
    provider.calls_itself = "https://evil.example"
    told = browser.get("/api/v1/session/oidc")
    assert (told.status_code, "calls itself otherwise" in told.json()["detail"]) == (401, True)
    provider.server.shutdown()
    provider.server.server_close()
    assert "does not answer" in browser.get("/api/v1/session/oidc").json()["detail"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"oidc_issuer": "https://login.microsoftonline.com/common/v2.0"}, "many organisations"),
        ({"oidc_issuer": "http://idp.example"}, "https"),
        ({"oidc_issuer": "https://idp.example"}, "KITH_OIDC_CLIENT_ID"),
    ],
)
def test_settings_with_which_anybody_could_log_in_are_refused(given: dict[str, str], told: str) -> None:
    with pytest.raises(KithError, match=told):
        Provider(Settings(**given))  # type: ignore[arg-type]


def test_subjects_are_unique(service: Service) -> None:
    with pytest.raises(Exception, match=r"(?i)unique"), service.database.write() as session:
        session.execute(update(User).values(subject="the same"))
