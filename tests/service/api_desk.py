"""What the tests of the API's resources share: a coordinator and a manager who ask, and a change as things stand."""

from __future__ import annotations

import re
from typing import Any

import pytest
from conftest import Service
from fastapi.testclient import TestClient

from service.permissions import Role

API = "/api/v1"
CANARY = "Zebedee-Quince"


@pytest.fixture
def desk(service: Service) -> TestClient:
    return service.as_(Role.COORDINATOR)


@pytest.fixture
def manager(service: Service) -> TestClient:
    return service.as_(Role.MANAGER)


def changed(browser: TestClient, path: str, body: dict[str, Any], method: str = "PATCH") -> Any:
    """Changes something as it stands now."""
    base = re.sub(r"/(status|person|steps|unlink|withdraw)$", "", path)
    tag = browser.get(f"{API}{base}").headers["ETag"]
    return browser.request(method, f"{API}{path}", json=body, headers={"If-Match": tag})
