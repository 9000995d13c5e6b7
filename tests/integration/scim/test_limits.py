"""Proven here: what is too much or not possible just now is refused with a time to come back."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from bridge.scim import ScimSettings
from tests.dialects.served import a_user, refused, serving


def test_O_6_a_429_says_when_to_come_back(tmp_path: Path) -> None:
    settings = ScimSettings(connection_rate=0.5)
    with serving(tmp_path, settings=settings) as served, served.tenant() as idp:
        answers = [idp.http.get("/Users") for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        refused(answers[-1], 429)
        wait = answers[-1].headers["retry-after"]
        assert wait.isdecimal()
        with served.tenant() as other:
            assert other.http.get("/Users").status_code == 200
        assert idp.http.get("/Schemas").status_code == 200
        time.sleep(int(wait))
        assert idp.http.get("/Users").status_code == 200


def test_a_journal_that_cannot_be_written_gives_503_and_is_still_read(tmp_path: Path) -> None:
    with serving(tmp_path) as served, served.tenant() as idp:
        user = idp.user()
        before = idp.rows()
        with closing(sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            answer = idp.http.post("/Users", json=a_user("ben@example.com"))
            refused(answer, 503)
            assert answer.headers["retry-after"].isdecimal()
            assert idp.http.get(f"/Users/{user['id']}").json() == user
            assert idp.rows() == before
            other.execute("ROLLBACK")
        assert idp.user("ben@example.com")["userName"] == "ben@example.com"


def test_limits_are_settings(tmp_path: Path) -> None:
    small = ScimSettings(
        body_bytes=300, body_depth=4, page_default=2, page_limit=3, patch_answer_members=0
    )
    with serving(tmp_path, settings=small) as served, served.tenant() as idp:
        refused(idp.http.post("/Users", json=a_user(title="x" * 300)), 413)
        refused(idp.http.post("/Users", content=b'{"a":[{"b":[{}]}]}'), 400, "invalidSyntax")
        users = [idp.user(f"user{number}@example.com") for number in range(4)]
        pages = [idp.http.get("/Users", params=p).json() for p in ({}, {"count": 9})]
        assert [page["itemsPerPage"] for page in pages] == [2, 3]
        assert idp.http.get("/ServiceProviderConfig").json()["filter"]["maxResults"] == 3
        group = idp.group("Sales")
        add = {"op": "add", "path": "members", "value": [{"value": users[0]["id"]}]}
        assert idp.patch(f"/Groups/{group['id']}", add).status_code == 204
