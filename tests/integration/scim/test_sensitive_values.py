"""What is asked about people reaches no log, however it is asked and whatever is answered."""

from pathlib import Path

import httpx

from tests.dialects.served import SEARCH_REQUEST, a_user, created
from tests.integration.running import quickstart

NAME = "very.private@example.com"


def test_R_51_what_filters_and_searches_name_is_not_logged(tmp_path: Path) -> None:
    with quickstart(tmp_path / "installation") as bridge:
        headers = {"Authorization": f"Bearer {bridge.token}"}
        with httpx.Client(base_url=bridge.scim_url, headers=headers, timeout=30) as http:
            user = created(http.post("/Users", json=a_user(NAME)))
            filter_ = f'userName eq "{NAME}"'
            answers = [
                http.get("/Users", params={"filter": filter_}),
                http.post("/Users/.search", json={"schemas": [SEARCH_REQUEST], "filter": filter_}),
                http.get("/Users", params={"filter": f"{filter_} and ("}),
                http.get(f"/Users/{NAME}"),
                http.post("/Users", json=a_user(NAME)),
                http.delete(f"/Users/{user['id']}"),
            ]
            assert [a.status_code for a in answers] == [200, 200, 400, 404, 409, 204]
        assert bridge.stop() == 0
    log = (tmp_path / "bridge.log").read_text()
    assert log.count('"route": "/scim/v2/Users') == 7
    assert "private" not in log
