"""What every request goes through, and what every answer holds and does not hold."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from conftest import Service
from pydantic import SecretStr
from sqlalchemy import select
from starlette.testclient import TestClient

from service.api.deps import note_reading
from service.app import create_app
from service.database.base import utc_now
from service.database.tables import AuditEvent, Worker
from service.middleware import RateLimit
from service.permissions import Role
from service.runs import ask_for
from service.settings import Settings

CANARY = "Zebedee-Quince"


def test_a_shortlist_tells_reasons_in_the_councils_references(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    told = (
        service.as_(Role.COORDINATOR)
        .get(f"/api/v1/children/{child}/shortlist", params={"top": 1, "rank_by": "fit"})
        .json()
    )
    first = told["shortlist"][0]
    assert (first["child"], first["volunteer"], first["rank"]) == (child, volunteer, 1)
    assert told["policy"].startswith("national ")
    assert len(told["data_hash"]) == 12
    assert {line["id"] for line in first["scores"]} >= {"interests", "closeness"}
    explained = service.as_(Role.COORDINATOR).get(f"/api/v1/children/{child}/volunteers/{volunteer}/explanation").json()
    assert explained["eligible"] is True
    sentences = " ".join(reason["sentence"] for reason in explained["reasons"])
    assert volunteer not in sentences
    assert child not in sentences


def test_a_shortlist_by_plan_tells_what_each_choice_means_for_the_whole(service: Service) -> None:
    child, _ = service.eligible_pair()
    told = service.as_(Role.COORDINATOR).get(f"/api/v1/children/{child}/shortlist").json()
    losses = [one["effect"]["loss"] for one in told["shortlist"]]
    assert told["rank_by"] == "plan"
    assert losses == sorted(losses)
    assert losses


def test_who_is_excluded_and_by_which_rule(service: Service) -> None:
    child, _ = service.eligible_pair()
    told = service.as_(Role.COORDINATOR).get(f"/api/v1/children/{child}/excluded").json()
    assert told["eligible"] + sum(told["excluded"].values()) == 20  # every volunteer is on one side or the other
    whole = f"/api/v1/children/{child}/shortlist?top=50&rank_by=fit"
    assert told["eligible"] == len(service.as_(Role.COORDINATOR).get(whole).json()["shortlist"])


def test_children_come_a_page_at_a_time(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    pages = [browser.get("/api/v1/children", params={"page": n, "size": 7}).json() for n in range(1, 7)]
    ids = [line["id"] for page in pages for line in page["children"]]
    assert [page["total"] for page in pages] == [30] * 6
    assert sorted(ids) == sorted(service.children())
    days = [line["referred_on"] for page in pages for line in page["children"]]
    assert days == sorted(days, key=lambda day: (day is None, day))  # the longest wait first


def test_a_childs_record_bears_its_version_and_no_postcode(service: Service) -> None:
    child = service.children()[0]
    answer = service.as_(Role.COORDINATOR).get(f"/api/v1/children/{child}")
    assert answer.headers["ETag"] == '"1"'
    assert "latitude" not in answer.text


def test_every_reading_of_a_child_is_in_the_log(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    browser = service.as_(Role.COORDINATOR)
    for path in ("", "/shortlist", "/excluded", f"/volunteers/{volunteer}/explanation"):
        assert browser.get(f"/api/v1/children/{child}{path}").status_code == 200
    with service.database.read(service.north) as session:
        read = session.scalars(select(AuditEvent).where(AuditEvent.action == "read").order_by(AuditEvent.number)).all()
    assert [event.reason for event in read] == ["record", "shortlist", "excluded", "explanation"]
    assert {event.subject for event in read} == {child}
    assert {event.actor for event in read} == {service.users["north", Role.COORDINATOR]}


def test_whoever_watches_it_may_ask_for_the_head_alone(service: Service) -> None:
    answer = service.client.head("/health")
    assert (answer.status_code, service.client.get("/health").json()) == (200, {"status": "ok"})
    assert answer.headers["Cache-Control"] == "no-store"


def test_headers_that_a_browser_obeys(service: Service) -> None:
    one, other = service.client.get("/health"), service.client.get("/health")
    policy = one.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert policy != other.headers["Content-Security-Policy"]  # a nonce is good once
    assert one.headers["Cache-Control"] == "no-store"
    assert one.headers["X-Content-Type-Options"] == "nosniff"
    assert one.headers["X-Request-ID"] != other.headers["X-Request-ID"]


def test_changes_need_the_token_of_the_login(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    for token in ("", "guess", "ü"):
        headers = {"X-CSRF-Token": token.encode()}
        assert browser.delete("/api/v1/session", headers=headers).status_code == 403  # type: ignore[arg-type]
    assert browser.delete("/api/v1/session").status_code == 204
    assert browser.get("/api/v1/session").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
     {"Sec-Fetch-Site": "same-site"}],
)  # fmt: skip
def test_other_sites_change_nothing(service: Service, headers: dict[str, str]) -> None:
    assert service.as_(Role.COORDINATOR).delete("/api/v1/session", headers=headers).status_code == 403


def test_our_own_site_does(service: Service) -> None:
    headers = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
    assert service.as_(Role.COORDINATOR).delete("/api/v1/session", headers=headers).status_code == 204


def test_a_body_beyond_the_limit_is_not_read(settings: Settings, service: Service) -> None:
    app = create_app(settings.model_copy(update={"body_megabytes": 1}))
    with TestClient(app) as client:
        for content in (b"x" * (1024 * 1024 + 1), (b"x" * 65536 for _ in range(17))):  # told in advance, and not
            answer = client.post("/api/v1/session", content=content, headers={"Content-Type": "application/json"})
            assert (answer.status_code, answer.json()["detail"]) == (413, "The request is too large. The most is 1 MB.")


def test_too_many_requests_are_told_to_wait() -> None:
    now = 0.0
    limit = RateLimit(lambda *_: None, Settings(requests_a_minute=60), clock=lambda: now)  # type: ignore[arg-type, return-value]
    assert [limit._allowed("a") for _ in range(61)] == [True] * 60 + [False]
    assert limit._allowed("b")
    now = 1.0  # sixty a minute is one a second
    assert [limit._allowed("a") for _ in range(2)] == [True, False]


def test_secrets_are_not_tried_as_often_as_pages_are_asked_for() -> None:
    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    limit = RateLimit(answer, Settings(logins_a_minute=30), clock=lambda: 0.0)

    def ask(path: str, method: str = "POST") -> int:
        told: list[int] = []

        async def send(message: Any) -> None:
            if "status" in message:
                told.append(message["status"])

        scope = {"type": "http", "method": method, "path": path, "client": ("a", 1), "state": {"request_id": "x"}}
        asyncio.run(limit(scope, None, send))  # type: ignore[arg-type]
        return told[0]

    tried = [ask(path) for path in ("/api/v1/session", "/sign-in", "/welcome/x") for _ in range(10)]
    assert tried == [200] * 30
    assert [ask("/sign-in"), ask("/welcome/y"), ask("/api/v1/session")] == [429] * 3
    assert [ask("/sign-in", "GET"), ask("/api/v1/children")] == [200] * 2


def test_no_answer_and_no_log_line_repeats_what_was_sent(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    browser, child = service.as_(Role.COORDINATOR), service.children()[0]
    answers = [
        browser.get(f"/api/v1/children/{CANARY}"),
        browser.get(f"/api/v1/children/{child}/shortlist", params={"top": CANARY}),
        browser.get(f"/api/v1/children/{child}/shortlist", params={"rank_by": CANARY}),
        browser.get("/api/v1/children", params={"coordinator": CANARY, CANARY: CANARY}),
        browser.get(f"/{CANARY}", headers={"X-Canary": CANARY, "X-Request-ID": CANARY}),
        browser.get("/api/v1/children", headers={"Authorization": f"Bearer {CANARY}"}),
        browser.post("/api/v1/session", json={"email": CANARY, "password": CANARY}),
        browser.post("/api/v1/session", json={"email": CANARY, "password": CANARY, CANARY: CANARY}),
        browser.post("/api/v1/session", json={"email": {CANARY: CANARY}, "password": [CANARY]}),
        browser.post("/api/v1/session", content=f'{{"{CANARY}', headers={"Content-Type": "application/json"}),
        browser.request(CANARY, "/api/v1/session"),
    ]
    assert [answer.status_code for answer in answers] == [422, 422, 422, 200, 404, 401, 401, 422, 422, 422, 405]
    for answer in answers:
        assert CANARY not in answer.text + str(answer.headers)
        if answer.status_code != 200:
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    printed = capsys.readouterr()
    assert CANARY not in printed.out + printed.err
    assert "/api/v1/children/{child_id}/shortlist" in printed.out
    logged = [json.loads(line)["request_id"] for line in printed.out.splitlines()]
    assert logged == [answer.headers["X-Request-ID"] for answer in answers]


def test_a_crash_says_nothing_of_what_it_was_about(
    service: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise ValueError(CANARY)

    monkeypatch.setattr("service.matching.shortlist", crash)
    answer = service.as_(Role.COORDINATOR).get(f"/api/v1/children/{service.children()[0]}/shortlist")
    assert (answer.status_code, answer.json()["detail"]) == (500, "A fault in Kith itself. Nothing was changed.")
    printed = capsys.readouterr()
    assert CANARY not in answer.text + printed.out + printed.err
    line = json.loads(printed.out.splitlines()[-1])
    assert (line["crash"], line["status"]) == ("ValueError", 500)
    assert line["request_id"] == answer.headers["X-Request-ID"]


def test_the_document_of_the_api_is_whole_and_for_those_who_log_in(service: Service) -> None:
    document = service.as_(Role.COORDINATOR).get("/api/v1/openapi.json").json()
    assert "/api/v1/children/{child_id}/shortlist" in document["paths"]
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert service.client.get(path).status_code == 404


def test_many_who_read_at_once_wait_for_each_other_and_none_for_ever(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than there are connections: each holds one to read, and after a while needs another for the audit log."""

    def slowly(*words: Any, **details: Any) -> None:
        time.sleep(0.3)
        note_reading(*words, **details)

    monkeypatch.setattr("service.api.children.note_reading", slowly)
    service.client.cookies = service.as_(Role.COORDINATOR).cookies  # one application, as it runs
    children = service.children()

    def ask(n: int) -> int:
        return service.client.get(f"/api/v1/children/{children[n % 30]}").status_code

    with ThreadPoolExecutor(60) as pool:
        assert set(pool.map(ask, range(60))) == {200}


def test_readiness_tells_of_database_migrations_and_worker(service: Service) -> None:
    told = {"status": "ok", "database": "ok", "migrations": "ok", "worker": "never seen"}
    assert service.client.get("/ready").json() == told
    with service.database.write() as session:
        session.add(Worker(seen_at=utc_now() - timedelta(minutes=2)))
    assert service.client.get("/ready").json() == {**told, "worker": "silent"}
    with service.database.write() as session:
        session.add(Worker())
    assert service.client.get("/ready").json() == {**told, "worker": "ok"}


def test_without_the_migrations_of_the_code_it_is_not_ready(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.database.upgrade.newest", lambda: "9999")
    answer = service.client.get("/ready")
    assert (answer.status_code, answer.json()["migrations"]) == (503, "not those of the code")


def test_what_the_application_is_made_of_is_not_looked_through_again_and_again(service: Service) -> None:
    with TestClient(create_app(service.settings)):
        assert gc.get_freeze_count() > 10_000
    assert gc.get_freeze_count() == 0


def test_figures_are_for_the_bearer_of_a_token(service: Service) -> None:
    assert service.client.get("/metrics").status_code == 404
    child = service.children()[0]
    with service.database.write(service.north) as session:
        ask_for(session, service.north, "manual")
    settings = service.settings.model_copy(update={"metrics_token": SecretStr("a token for the tests")})
    with TestClient(create_app(settings)) as client:
        client.get(f"/api/v1/children/{child}")
        client.get("/no/such/page")
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={"Authorization": "Bearer guess"}).status_code == 401
        told = client.get("/metrics", headers={"Authorization": "Bearer a token for the tests"}).text
    assert 'kith_runs{state="queued"} 1.0' in told
    assert 'handler="/api/v1/children/{child_id}"' in told
    for word in (child, service.north, "/no/such/page"):
        assert word not in told
