"""Who is let in: a table of requests, and what each is told."""

from __future__ import annotations

import pytest

from hearth.ui.guard import refusal
from hearth.ui.sessions import Role

HERE = {"host": "hearth.localhost:8080"}
JSON = {"content-type": "application/json", "x-hearth-page": "1"}
READER, WRITER = Role.READER, Role.WRITER


@pytest.mark.parametrize(
    ("method", "path", "fields", "role", "status"),
    [
        pytest.param("GET", "/", {}, READER, None, id="the-page"),
        pytest.param("GET", "/", {}, None, 401, id="the-page-without-session"),
        pytest.param("GET", "/assets/app.js", {}, None, 401, id="a-file-without-session"),
        pytest.param("GET", "/api/stream", {}, None, 401, id="data-without-session"),
        pytest.param("GET", "/login.js", {}, None, None, id="the-login"),
        pytest.param("POST", "/login", JSON, None, None, id="a-login"),
        pytest.param("GET", "/", {"host": "localhost:8080"}, READER, None, id="another-name"),
        pytest.param("GET", "/", {"host": "[::1]:80"}, READER, None, id="an-address"),
        pytest.param("GET", "/", {"host": "evil.example:80"}, WRITER, 421, id="rebound-name"),
        pytest.param("GET", "/", {"host": "hearth.localhost.evil.example"}, WRITER, 421, id="like"),
        pytest.param("GET", "/login.js", {"host": ""}, None, 421, id="no-name"),
        pytest.param("GET", "/", {"sec-fetch-site": "cross-site"}, READER, None, id="a-link"),
        pytest.param(
            "GET", "/api/stream", {"sec-fetch-site": "cross-site"}, WRITER, 403, id="other-site"
        ),
        pytest.param(
            "GET", "/api/me", {"sec-fetch-site": "same-site"}, WRITER, 403, id="another-port"
        ),
        pytest.param("POST", "/api/traffic", JSON, WRITER, None, id="a-write"),
        pytest.param("POST", "/api/traffic", JSON, READER, 403, id="a-reader-writes"),
        pytest.param("POST", "/api/redrive", JSON, READER, 403, id="a-reader-redrives"),
        pytest.param("POST", "/api/logout", JSON, READER, None, id="a-reader-leaves"),
        pytest.param("PUT", "/api/other", JSON, READER, 403, id="other-methods"),
        pytest.param("POST", "/api/traffic", {}, WRITER, 403, id="a-form"),
        pytest.param(
            "POST", "/api/traffic", {"x-hearth-page": "1"}, WRITER, 403, id="not-as-json"
        ),
        pytest.param(
            "POST",
            "/api/traffic",
            {**JSON, "origin": "http://hearth.localhost:8080"},
            WRITER,
            None,
            id="our-origin",
        ),
        pytest.param(
            "POST", "/api/traffic", {**JSON, "origin": "http://hearth.localhost:1"}, WRITER, 403,
            id="the-origin-of-another-port",
        ),
        pytest.param("POST", "/api/traffic", {**JSON, "origin": "null"}, WRITER, 403, id="null"),
        pytest.param("POST", "/login", {**JSON, "origin": "http://a.b"}, None, 403, id="login"),
    ],
)  # fmt: skip
def test_who_is_let_in(
    method: str, path: str, fields: dict[str, str], role: Role | None, status: int | None
) -> None:
    refused = refusal(method, path, HERE | fields, role)
    assert (refused.status if refused is not None else None) == status
    assert refused is None or len(refused.message) > 20
