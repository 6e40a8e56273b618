"""What the server hands to a shop's page: the embed, cacheable, for every origin."""

from __future__ import annotations

import gzip

import pytest
from flask import Flask
from flask.testing import FlaskClient

from embed.release import RELEASES, released
from server.infra.errors import Problem
from server.web import embed as embed_files
from tests.house.loader_size import LOADER, gzipped_size_bytes

PATH = "/embed/v1/proteus.js"


@pytest.fixture
def client() -> FlaskClient:
    app = Flask(__name__)
    app.register_blueprint(embed_files.blueprint)
    app.register_error_handler(Problem, lambda problem: (problem.code, problem.status))
    return app.test_client()


def test_every_shop_may_load_it(client: FlaskClient) -> None:
    answer = client.get(PATH, headers={"Origin": "https://shop.example"})
    assert answer.status_code == 200
    assert answer.data == LOADER.read_bytes()
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Cache-Control"].startswith("public, max-age=300")
    assert "Set-Cookie" not in answer.headers


def test_it_travels_compressed(client: FlaskClient) -> None:
    answer = client.get(PATH, headers={"Accept-Encoding": "gzip, br"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert gzip.decompress(answer.data) == LOADER.read_bytes()
    assert len(answer.data) <= 4096


@pytest.mark.parametrize("encodings", ["identity", "gzip"])
def test_a_known_copy_is_not_sent_again(client: FlaskClient, encodings: str) -> None:
    headers = {"Accept-Encoding": encodings}
    etag = client.get(PATH, headers=headers).headers["ETag"]
    answer = client.get(PATH, headers={**headers, "If-None-Match": etag})
    assert (answer.status_code, answer.data) == (304, b"")


def test_the_loader_stays_small() -> None:
    assert gzipped_size_bytes(LOADER) <= 4096


@pytest.mark.parametrize("version", ["9.9.9", "..", "%2e%2e", "..%2f..%2fserver"])
def test_nothing_else_is_handed_out(client: FlaskClient, version: str) -> None:
    assert client.get(f"/embed/releases/{version}/proteus.js").status_code == 404


@pytest.mark.parametrize("version", released())
def test_a_release_may_be_kept_for_ever(client: FlaskClient, version: str) -> None:
    answer = client.get(f"/embed/releases/{version}/proteus.js")
    assert answer.data == (RELEASES / version / "proteus.js").read_bytes()
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
