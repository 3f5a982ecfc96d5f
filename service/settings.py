"""Settings, from the environment alone: KITH_DATABASE_URL and so on. What is wrong is refused at start, by its name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, HttpUrl, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from matcher.errors import KithError

PREFIX = "KITH_"
_ELSEWHERE = {"KITH_DEBUG", "KITH_TEST_POSTGRES"}
"""Read by the command line and by the tests."""


class SettingsError(KithError):
    """A setting that is unknown or wrong. Names it, and never shows its value: that may be a password."""


class Settings(BaseSettings):
    """One field a setting; the description is what docs/operations.md says of it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    database_url: SecretStr = Field(
        SecretStr("sqlite:///kith.db"),
        description="Where the data is: `sqlite:///FILE` or `postgresql+psycopg://USER:PASSWORD@HOST/NAME`.",
    )
    owner_url: SecretStr | None = Field(
        None,
        description="On PostgreSQL: the same database as the role that owns the tables. Only `kith migrate` and "
        "`kith restore` use it.",
    )
    backup_url: SecretStr | None = Field(
        None,
        description="On PostgreSQL: the same database as a role that may read every row. Only `kith backup` uses it.",
    )
    former_url: SecretStr | None = Field(
        None,
        description="On PostgreSQL: the database that a restore replaces, as the service's own role. Only "
        "`kith restore` uses it: it reads in it what was said no to since the backup, and takes that over.",
    )
    keys_file: Path = Field(
        Path("kith-keys.json"),
        description="The keys that encrypt names, addresses and free text, and chain the audit log. Keep it outside "
        "the database and its backups, readable by the service alone.",
    )
    host: str = Field("127.0.0.1", description="The address on which the service listens.")
    port: int = Field(8080, ge=1, le=65535, description="The port on which the service listens.")
    workers: int = Field(1, ge=1, le=64, description="Processes that answer requests.")
    public_url: HttpUrl | None = Field(
        None,
        description="The address that people type, such as `https://kith.example.gov.uk`. Behind a proxy it must be "
        "given: forms from anywhere else are refused, and cookies are then sent over HTTPS only.",
    )
    session_minutes: int = Field(30, ge=1, le=1440, description="Minutes without a click after which a login ends.")
    session_hours: int = Field(10, ge=1, le=72, description="Hours after which a login ends in any case.")
    oidc_issuer: str | None = Field(
        None,
        description="The council's identity provider, such as `https://login.microsoftonline.com/TENANT/v2.0`. "
        "With it, passwords let in administrators alone.",
    )
    oidc_client_id: str | None = Field(None, description="How that provider knows Kith.")
    oidc_client_secret: SecretStr | None = Field(None, description="What Kith shows it, where it asks for a secret.")
    oidc_tenant: str | None = Field(
        None,
        description="With Microsoft Entra: the tenant's id. Others are refused, and the name of the account "
        "(`preferred_username`) counts as its address.",
    )
    login_attempts: int = Field(5, ge=1, le=50, description="Wrong passwords in a row that lock an account.")
    lockout_minutes: int = Field(15, ge=1, le=1440, description="Minutes for which it stays locked.")
    requests_a_minute: int = Field(
        600, ge=1, le=1_000_000, description="Requests a minute from one address before it is told to wait, by process."
    )
    logins_a_minute: int = Field(
        30, ge=1, le=1_000_000, description="Passwords a minute from one address before it is told to wait, by process."
    )
    body_megabytes: int = Field(20, ge=1, le=1000, description="The largest request body that is read at all.")
    metrics_token: SecretStr | None = Field(
        None,
        description="What Prometheus bears to read `/metrics`; 16 characters or more. Without it there is none.",
    )
    nightly_hour: int = Field(
        2, ge=0, le=23, description="The hour, in London, after which the run of the night is due."
    )
    plan_months: int = Field(
        24, ge=1, le=600,
        description="Months after which a plan and its shortlists are deleted (`kith retention`), but the published "
        "one and the last are kept.",
    )  # fmt: skip
    run_minutes: int = Field(60, ge=1, le=1440, description="Minutes after which a run is taken for hung, and ended.")
    log_format: Literal["json", "text"] = Field("json", description="`json`, or `text` for a person at a terminal.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged at all.")

    demo: bool = Field(False, description="Says on every page that nobody in it is real. `kith serve --demo` sets it.")

    @field_validator("database_url", "owner_url", "backup_url", "former_url")
    @classmethod
    def _known_database(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            try:
                driver = make_url(url.get_secret_value()).drivername
            except ArgumentError:
                driver = ""
            if driver not in ("sqlite", "postgresql+psycopg"):
                raise ValueError("must begin with sqlite:/// or postgresql+psycopg://")
        return url

    @field_validator("former_url")
    @classmethod
    def _of_a_server(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        here = info.data.get("database_url")
        if url is not None and any(one and one.get_secret_value().startswith("sqlite") for one in (url, here)):
            raise ValueError("is for PostgreSQL alone: on SQLite a restore finds the database before by itself")
        return url

    @field_validator("public_url")
    @classmethod
    def _no_path(cls, url: HttpUrl | None) -> HttpUrl | None:
        if url is not None and (url.path not in (None, "/") or url.query or url.fragment):
            raise ValueError("must be a host without a path, such as https://kith.example.gov.uk")
        return url

    @field_validator("oidc_client_id", "oidc_client_secret", "oidc_tenant")
    @classmethod
    def _of_an_issuer(cls, value: str | SecretStr | None, info: ValidationInfo) -> str | SecretStr | None:
        if value is not None and info.data.get("oidc_issuer", "wrong, and told by itself") is None:
            raise ValueError("is given, but no KITH_OIDC_ISSUER: passwords would let everybody in")
        return value

    @field_validator("metrics_token")
    @classmethod
    def _long_enough(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < 16:
            raise ValueError("must have 16 characters or more")
        return token

    @property
    def sqlite(self) -> bool:
        """Whether the service owns its database, a file, and may set it up by itself."""
        return self.database_url.get_secret_value().startswith("sqlite")

    @property
    def secure(self) -> bool:
        """Whether people come over HTTPS, so that cookies are never sent without it."""
        return self.public_url is not None and self.public_url.scheme == "https"


def load_settings(**given: Any) -> Settings:
    """The settings of the environment, `given` ones first. Raises SettingsError that names every wrong one."""
    wrong = list(_unknown(os.environ))
    try:
        settings = Settings(**given)
    except ValidationError as error:
        for one in error.errors(include_input=False, include_url=False):
            name = PREFIX + str(one["loc"][0]).upper()
            wrong.append(f"{name}: {one['msg'].removeprefix('Value error, ')}")
    if wrong:
        raise SettingsError("Kith does not start. " + "; ".join(wrong) + ". docs/operations.md lists the settings.")
    return settings


def _unknown(environment: Mapping[str, str]) -> Iterator[str]:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known | _ELSEWHERE:
            near = get_close_matches(name, known, n=1)
            yield f"{name} is not a setting" + (f" (did you mean {near[0]}?)" if near else "")


def settings_table() -> str:
    """The settings as the Markdown table of docs/operations.md."""
    lines = ["| setting | default | what it is |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, SecretStr):
            default = default.get_secret_value()
        shown = "" if default is None or default is PydanticUndefined else f"`{default}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines)
