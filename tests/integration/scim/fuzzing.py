"""A client gone mad: requests that start from sound ones and are bent at random.

Rule: whatever is sent, the answer is SCIM and the fault the client's; the seed tells it again.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx

from tests.dialects.served import ENTERPRISE, ERROR, GROUP, PATCH_OP, SEARCH_REQUEST, USER

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
SCIM_JSON = "application/scim+json"

TEXTS = (
    *("", " ", "a", "ann@example.com", "ß", "\U0001f600", "e\u0301", "\u202e", "\x7f", "0", "-1"),
    *("' OR 1=1 --", "*)(uid=*", "<b>", "${x}", "../..", "%00", "bulkId:u1", "True", "null"),
    *("x" * 600, "2026-05-13T04:42:34Z", "9999-99-99T99:99:99Z", "YWJj", "urn:x:y", 'W/"1"'),
)
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**30, 1e308, [], {}, [[]], [None], {"value": None}),
    *([{}], {"": ""}, [1, "a", None, {}], {"value": {"value": {}}}),
)
ATTRIBUTES = (
    *("userName", "externalId", "displayName", "name", "name.givenName", "active", "emails"),
    *("emails.value", "emails.type", "members", "members.value", "groups", "groups.type", "id"),
    *("meta", "meta.created", "meta.version", "schemas", "password", "title", "x509Certificates"),
    *("manager", f"{ENTERPRISE}:manager", f"{ENTERPRISE}:department", ENTERPRISE, USER, GROUP),
    *("nope", "a.b.c", "emails[", "urn:nope:x", f"{USER}:userName", "roles.primary", "locale"),
)
OPERATORS = ("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr", "EQ", "xx", "")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO")
PLACES = (
    *("/Users", "/Groups", "/.search", "/Users/.search", "/Groups/.search", "/Bulk", "/Me", "/"),
    *("/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/ResourceTypes/User", "/nope"),
    *(f"/Schemas/{USER}", "/Users/", "//Users", "/Users/x/y", "/users", "/../v2/Users"),
)
HEADERS: tuple[dict[str, str], ...] = (
    *({"If-Match": '"1"'}, {"If-Match": "*"}, {"If-None-Match": 'W/"1"'}, {"If-Match": "\xff"}),
    *({"Accept": "text/html"}, {"Accept": "*/*;q=0"}, {"Content-Type": "text/plain"}),
    *({"Content-Encoding": "gzip"}, {"Content-Type": ""}, {"Authorization": "Basic !"}),
    *({"Authorization": ""}, {"X-Request-Id": "x" * 500}, {"Accept-Charset": "ebcdic"}, {}, {}, {}),
)


class Fuzzer:
    """Sends requests as one identity provider; `ids` are of resources that may exist."""

    def __init__(self, http: httpx.Client, seed: int) -> None:
        self.http = http
        self.seed = seed
        self.random = random.Random(seed)
        self.ids: list[str] = ["nobody"]
        self.statuses: Counter[int] = Counter()

    def run(self, seconds: float) -> None:
        """Send until the time is over; fails at the first answer that is not as it must be."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.send()

    def send(self) -> None:
        """Send one request and check the answer."""
        method, path, body = self.pick(
            self.create, self.replace, self.patch, self.patch, self.search, self.find, self.find,
            self.bulk, self.anything, self.delete,
        )()  # fmt: skip
        content = None if body is None else self.written(body)
        headers = {"Content-Type": SCIM_JSON} | self.pick(*HEADERS)
        encoded = {name: value.encode("latin-1") for name, value in headers.items()}
        answer = self.http.request(method, path, content=content, headers=encoded)
        self.check(answer, f"{method} {path} {headers} {content!r}")

    def check(self, answer: httpx.Response, sent: str) -> None:
        """Fail unless the answer is one that a SCIM client can read, and no fault of ours."""
        told = f"seed {self.seed}: {sent[:3000]}\n{answer.status_code} {answer.text[:2000]}"
        self.statuses[answer.status_code] += 1
        assert answer.status_code < 500 or answer.status_code == 501, told
        if answer.request.method == "HEAD" or answer.status_code in (204, 304):
            assert not answer.content, told
            return
        assert answer.headers["content-type"] in (SCIM_JSON, "application/json"), told
        document = answer.json()
        if answer.status_code >= 400:
            assert document["schemas"] == [ERROR], told
            assert document["status"] == str(answer.status_code), told
            assert document["detail"], told
        for each in document.get("Operations", ()):
            assert int(each["status"]) < 500, told
            self.learn(each.get("location", ""))
        assert "1mz050nq" not in answer.text, told
        self.learn(answer.headers.get("location", ""))

    def learn(self, location: str) -> None:
        """Remember the id in an address."""
        if location:
            self.ids = [*self.ids[-200:], location.rpartition("/")[2]]

    # --- Requests -------------------------------------------------------------------------------

    def create(self) -> tuple[str, str, Any]:
        return "POST", self.collection() + self.query(), self.bent(self.resource())

    def replace(self) -> tuple[str, str, Any]:
        return "PUT", self.item() + self.query(), self.bent(self.resource())

    def patch(self) -> tuple[str, str, Any]:
        return "PATCH", self.item() + self.query(), self.bent(self.patch_body())

    def delete(self) -> tuple[str, str, Any]:
        return "DELETE", self.item(), None

    def find(self) -> tuple[str, str, Any]:
        return "GET", self.pick(self.collection(), self.item(), "/") + self.query(), None

    def search(self) -> tuple[str, str, Any]:
        body = {"schemas": [SEARCH_REQUEST], **self.parameters()}
        return "POST", self.pick("/.search", "/Users/.search", "/Groups/.search"), self.bent(body)

    def bulk(self) -> tuple[str, str, Any]:
        operations = [self.operation() for _ in range(self.random.randint(0, 5))]
        body: dict[str, Any] = {"schemas": [BULK], "Operations": operations}
        if self.chance(0.3):
            body["failOnErrors"] = self.pick(1, 2, 0, "1", None)
        return "POST", "/Bulk", self.bent(body)

    def anything(self) -> tuple[str, str, Any]:
        body = self.pick(None, self.value(), self.resource(), self.patch_body())
        return self.pick(*METHODS), self.pick(*PLACES) + self.query(), body

    # --- Parts ----------------------------------------------------------------------------------

    def pick(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def collection(self) -> str:
        return str(self.pick("/Users", "/Groups"))

    def item(self) -> str:
        return f"{self.collection()}/{quote(self.pick(*self.ids, *TEXTS), safe='')}"

    def value(self) -> Any:
        return self.pick(*TEXTS, *ODD, *self.ids)

    def resource(self) -> dict[str, Any]:
        number = self.random.randrange(50)
        if self.chance(0.4):
            members = [{"value": self.pick(*self.ids)} for _ in range(self.random.randrange(4))]
            return {"schemas": [GROUP], "displayName": f"group {number}", "members": members}
        return {
            "schemas": [USER, ENTERPRISE],
            "userName": f"user{number}@example.com",
            "name": {"givenName": self.pick(*TEXTS), "familyName": "b"},
            "emails": [{"value": self.pick(*TEXTS), "type": "work", "primary": True}],
            "password": "1mz050nq",
            "active": self.pick(True, False, "True"),
            ENTERPRISE: {"manager": {"value": self.pick(*self.ids)}, "department": "x"},
        }

    def path(self) -> str:
        name = self.pick(*ATTRIBUTES)
        if self.chance(0.4):
            name = f"{name}[{self.filter(1)}]"
        return (
            f"{name}.{self.pick('value', 'type', 'nope', 'primary')}" if self.chance(0.3) else name
        )

    def patch_body(self) -> dict[str, Any]:
        steps = []
        for _ in range(self.random.randint(1, 4)):
            step = {"op": self.pick("add", "remove", "replace", "Add", "x"), "path": self.path()}
            step["value"] = self.pick(self.value(), self.resource(), [{"value": self.value()}])
            if self.chance(0.3):
                del step[self.pick("path", "value")]
            steps.append(step)
        return {"schemas": [PATCH_OP], "Operations": steps}

    def operation(self) -> dict[str, Any]:
        method = self.pick("POST", "PUT", "PATCH", "DELETE", "GET")
        path = self.collection() if method == "POST" else self.item()
        name = f"u{self.random.randrange(4)}"
        if self.chance(0.3):
            path = f"{self.collection()}/bulkId:{name}"
        data = self.patch_body() if method == "PATCH" else self.resource()
        if self.chance(0.4):
            data["members"] = [{"value": f"bulkId:u{self.random.randrange(5)}"}]
        return {"method": method, "path": path, "bulkId": name, "data": data}

    def filter(self, depth: int = 3) -> str:
        kind = self.random.randrange(6) if depth else 0
        if kind == 1:
            joint = self.pick(" and ", " or ")
            return str(joint.join(self.filter(depth - 1) for _ in range(self.random.randint(2, 4))))
        if kind == 2:
            return f"not ({self.filter(depth - 1)})"
        if kind == 3:
            return f"{self.pick(*ATTRIBUTES)}[{self.filter(depth - 1)}]"
        value = self.pick(*(json.dumps(t) for t in (*TEXTS, *ODD)), "unquoted", '"', "(", "]")
        return f"{self.pick(*ATTRIBUTES)} {self.pick(*OPERATORS)} {value}"

    def parameters(self) -> dict[str, Any]:
        choices: dict[str, Callable[[], Any]] = {
            "filter": self.filter,
            "sortBy": lambda: self.pick(*ATTRIBUTES),
            "sortOrder": lambda: self.pick("ascending", "descending", "x", ""),
            "startIndex": lambda: self.pick(0, 1, 2, -1, 10**20, "x"),
            "count": lambda: self.pick(0, 1, 100, -1, 10**20, "x"),
            "cursor": lambda: self.pick("", "x", "YWJj"),
            "attributes": lambda: ",".join(self.random.sample(ATTRIBUTES, 2)),
            "excludedAttributes": lambda: self.pick(*ATTRIBUTES, ""),
        }
        names = self.random.sample(sorted(choices), self.random.randrange(4))
        return {name: choices[name]() for name in names}

    def query(self) -> str:
        pairs = [f"{n}={quote(str(v))}" for n, v in self.parameters().items()]
        return f"?{'&'.join(pairs)}" if pairs and self.chance(0.6) else ""

    # --- Bending --------------------------------------------------------------------------------

    def bent(self, value: Any) -> Any:
        """Return a JSON value with something of it replaced, dropped or renamed, or as it was."""
        if self.chance(0.03):
            return self.value()
        if isinstance(value, dict):
            kept = [(n, self.bent(v)) for n, v in value.items() if not self.chance(0.03)]
            return {self.renamed(n): v for n, v in kept}
        if isinstance(value, list):
            items = [self.bent(item) for item in value]
            return items * 2 if self.chance(0.03) else items
        return value

    def renamed(self, name: str) -> str:
        # A password under another name would be shown, and rightly.
        keep = name == "password" or not self.chance(0.03)
        return name if keep else str(self.pick(name.upper(), *ATTRIBUTES))

    def written(self, body: Any) -> bytes:
        raw = json.dumps(body, ensure_ascii=self.chance(0.5)).encode("utf-8", "surrogatepass")
        if self.chance(0.05):
            at = self.random.randrange(len(raw) + 1)
            raw = raw[:at] + self.pick(b"", b"\x00", b"\xff", b"}", b'"') + raw[at + 1 :]
        return raw
