"""Logging in by the council's identity provider: OpenID Connect, with a code, PKCE and a nonce, through Authlib.

One issuer is trusted, which is the council's own: an issuer that speaks for many organisations is refused at start. Who
logs in must have an account already; a first login binds it to the person's subject, and from then on that counts.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import time
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import httpx2
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from sqlalchemy import select
from sqlalchemy.orm import Session

from matcher.errors import KithError
from service import audit_log, auth
from service.auth import LoginError
from service.crypto import KeyRing, KeysError, Place
from service.database.tables import User
from service.settings import Settings

CALLBACK = "/api/v1/session/oidc/callback"
MINUTES = 10
"""How long a person may take at the identity provider."""
_ALGORITHMS = ["RS256", "PS256", "ES256"]
_MANY = {"common", "organizations", "consumers"}
_KEPT_SECONDS = 3600
_PLACE = Place("login", "", "state")
_LOG = structlog.get_logger("kith")
_REFUSED = "The identity provider's answer cannot be used. Begin again."


@dataclass(frozen=True)
class Attempt:
    """What a browser keeps, sealed, while its user is at the identity provider."""

    state: str
    nonce: str
    verifier: str
    until: float

    def sealed(self, keys: KeyRing) -> str:
        return base64.urlsafe_b64encode(keys.seal(json.dumps(asdict(self)), _PLACE)).decode()

    @classmethod
    def opened(cls, cookie: str, keys: KeyRing) -> Attempt:
        """Raises LoginError for one that is not ours, or too old."""
        try:
            attempt = cls(**json.loads(keys.open(base64.urlsafe_b64decode(cookie), _PLACE)))
        except (binascii.Error, ValueError, KeysError):
            raise LoginError(_REFUSED) from None
        if attempt.until < time.time():
            raise LoginError(f"The login took more than {MINUTES} minutes. Begin again.")
        return attempt


@dataclass(frozen=True)
class Identity:
    """Who the provider says that somebody is. `email` is None unless the provider vouches for it."""

    subject: str
    email: str | None


class Provider:
    """The identity provider of the settings. What it publishes of itself is asked for when first needed."""

    def __init__(self, settings: Settings) -> None:
        """Raises KithError for settings with which nobody could log in, or anybody."""
        issuer = (settings.oidc_issuer or "").rstrip("/")
        parts = urlsplit(issuer)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
            raise KithError("KITH_OIDC_ISSUER must begin with https://.")
        if _MANY & set(parts.path.split("/")):
            raise KithError("KITH_OIDC_ISSUER speaks for many organisations. Give the one with your tenant's id.")
        if settings.oidc_client_id is None or settings.public_url is None:
            raise KithError("KITH_OIDC_ISSUER needs KITH_OIDC_CLIENT_ID and KITH_PUBLIC_URL beside it.")
        self.issuer, self.client_id, self.tenant = issuer, settings.oidc_client_id, settings.oidc_tenant
        self._secret = settings.oidc_client_secret
        self._back = str(settings.public_url).rstrip("/") + CALLBACK
        self._known: tuple[float, dict[str, Any], KeySet] | None = None
        self._lock = Lock()

    def begin(self) -> tuple[str, Attempt]:
        """The address to which the browser goes, and what it keeps meanwhile. Raises LoginError."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        attempt = Attempt(state, nonce, verifier, time.time() + 60 * MINUTES)
        with self._client() as client:
            address, _ = client.create_authorization_url(
                self._metadata()[0]["authorization_endpoint"],
                state=attempt.state, code_verifier=attempt.verifier, nonce=attempt.nonce,
            )  # fmt: skip
        return str(address), attempt

    def finish(self, attempt: Attempt, *, state: str, code: str) -> Identity:
        """Who came back with a code. Raises LoginError for whatever is not as it must be."""
        if not secrets.compare_digest(state.encode(), attempt.state.encode()):
            raise LoginError(_REFUSED)
        try:
            with self._client() as client:
                token = client.fetch_token(
                    self._metadata()[0]["token_endpoint"], code=code, code_verifier=attempt.verifier
                )
            claims = self._claims(token, attempt.nonce)
        except (httpx2.HTTPError, AuthlibBaseError, JoseError, KeyError, ValueError, TypeError) as error:
            _LOG.warning("identity provider", problem=_problem(error))
            raise LoginError(_REFUSED) from None
        if self.tenant is not None and claims.get("tid") != self.tenant:
            raise LoginError("This account is not the council's. Log in with the one of your work.")
        return Identity(auth.hashed(f"{self.issuer} {claims['sub']}"), self._email(claims))

    def _claims(self, token: dict[str, Any], nonce: str) -> CodeIDToken:
        try:
            read = jwt.decode(token["id_token"], self._metadata()[1], algorithms=_ALGORITHMS)
        except InvalidKeyIdError:  # the provider may have changed its keys
            read = jwt.decode(token["id_token"], self._metadata(anew=True)[1], algorithms=_ALGORITHMS)
        issuer = self._metadata()[0]["issuer"]  # as it writes itself: with a slash at the end, perhaps
        claims = CodeIDToken(
            read.claims,
            read.header,
            {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": self.client_id}},
            {"nonce": nonce, "client_id": self.client_id, "access_token": token.get("access_token")},
        )
        claims.validate(leeway=60)
        return claims

    def _email(self, claims: CodeIDToken) -> str | None:
        """One that the provider has verified; with a tenant, its name for the account, whose domain is the tenant's."""
        if claims.get("email_verified") is True:
            return str(claims.get("email", "")) or None
        return str(claims.get("preferred_username", "")) or None if self.tenant else None

    def _metadata(self, *, anew: bool = False) -> tuple[dict[str, Any], KeySet]:
        with self._lock:
            if anew or self._known is None or self._known[0] < time.monotonic() - _KEPT_SECONDS:
                try:
                    with httpx2.Client(timeout=10) as client:
                        found = client.get(get_well_known_url(self.issuer, external=True)).raise_for_status().json()
                        if str(found["issuer"]).rstrip("/") != self.issuer:
                            raise LoginError("The identity provider calls itself otherwise than KITH_OIDC_ISSUER.")
                        keys = client.get(found["jwks_uri"]).raise_for_status().json()
                    self._known = time.monotonic(), found, KeySet.import_key_set(keys)
                except (httpx2.HTTPError, JoseError, KeyError, ValueError, TypeError) as error:
                    _LOG.warning("identity provider", problem=_problem(error))
                    raise LoginError("The identity provider does not answer. Try again in a while.") from None
            return self._known[1], self._known[2]

    def _client(self) -> OAuth2Client:
        secret = self._secret.get_secret_value() if self._secret else None
        return OAuth2Client(
            self.client_id, secret, scope="openid email profile", redirect_uri=self._back,
            token_endpoint_auth_method="client_secret_basic" if secret else "none",  # a name
            code_challenge_method="S256", timeout=10,
        )  # fmt: skip


def _problem(error: Exception) -> str:
    """For the log: which error, its code, what a connection said. A provider's description may name somebody."""
    if isinstance(error, httpx2.HTTPError):
        return f"{type(error).__name__}: {error}"
    more = (str(getattr(error, name, ""))[:60] for name in ("error", "claim"))
    return " ".join(filter(None, (type(error).__name__, *more)))


def log_in(session: Session, keys: KeyRing, settings: Settings, identity: Identity) -> tuple[User, str] | None:
    """The account of who came from the provider, and the secret of a new login; None if there is none for them."""
    user = session.scalar(select(User).where(User.subject == identity.subject).with_for_update())
    if user is None and identity.email is not None:
        query = select(User).where(User.email == identity.email.strip().lower(), User.subject.is_(None))
        user = session.scalar(query.with_for_update())
        if user is not None and not user.disabled_at:
            user.subject, user.invitation = identity.subject, None
            audit_log.record(session, keys, audit_log.Entry(user.id, "bind account", user.id))
    if user is None or user.disabled_at:
        _LOG.warning("identity provider", problem="no open account" if identity.email else "no address vouched for")
        return None
    return user, auth.begin(session, settings, user)
