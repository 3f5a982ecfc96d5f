"""Settings: refused by name, never shown, and documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.settings import Settings, SettingsError, load_settings, settings_table


def test_the_document_lists_every_setting() -> None:
    document = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    assert settings_table() in document


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_what_is_wrong_is_named_all_at_once_and_no_value_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITH_PORT", "s3cret-port")
    monkeypatch.setenv("KITH_DATABASE_URL", "mysql://kith:s3cret@host/kith")
    monkeypatch.setenv("KITH_DATABSE_URL", "postgresql+psycopg://kith:s3cret@host/kith")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    told = str(refused.value)
    assert "KITH_PORT: " in told
    assert "KITH_DATABASE_URL: must begin with sqlite:/// or postgresql+psycopg://" in told
    assert "KITH_DATABSE_URL is not a setting (did you mean KITH_DATABASE_URL?)" in told
    assert "s3cret" not in told


def test_passwords_are_not_in_what_is_printed_of_settings() -> None:
    settings = load_settings(database_url="postgresql+psycopg://kith:s3cret@host/kith")
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(("url", "secure"), [("https://kith.example", True), ("http://kith.example", False)])
def test_cookies_are_kept_to_https_where_people_come_by_it(url: str, secure: bool) -> None:
    assert load_settings(public_url=url).secure is secure


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("KITH_PUBLIC_URL", "https://council.example/kith", "must be a host without a path"),
        ("KITH_METRICS_TOKEN", "short", "must have 16 characters or more"),
        ("KITH_OIDC_CLIENT_ID", "kith", "no KITH_OIDC_ISSUER"),
        ("KITH_OIDC_TENANT", "council", "no KITH_OIDC_ISSUER"),
        ("KITH_OIDC_CLIENT_SECRET", "secret", "no KITH_OIDC_ISSUER"),
        ("KITH_FORMER_URL", "mysql://kith:secret@host/kith", "must begin with"),
        ("KITH_FORMER_URL", "sqlite:///kith.db", "is for PostgreSQL alone"),
        ("KITH_FORMER_URL", "postgresql+psycopg://kith:secret@host/kith", "is for PostgreSQL alone"),  # as this is none
    ],
)
def test_what_would_let_nobody_in_or_everybody_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, told: str
) -> None:
    monkeypatch.setenv(setting, value)
    with pytest.raises(SettingsError, match=f"{setting}: .*{told}"):
        load_settings()
