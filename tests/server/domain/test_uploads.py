"""What a store takes from a client: the one file that was signed, and nothing else.

The same verdicts on the local store and on Ceph, which judges signatures as AWS does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import botocore.auth
import httpx
import pytest
from botocore.exceptions import ClientError

from server.infra.store import UPLOAD_EXPIRES_S, Head, Store, upload_key
from tests import apps
from tests.server.actors import settings
from tests.services import S3Settings

BODY = b"\xff\xd8 a photo, or so it says \xff\xd9" * 40
JPEG = "image/jpeg"
MINE, OTHER = upload_key("sit_ada"), upload_key("sit_cleo")
CHECKED = "photos/pho_1/photo.jpg"


def store_of(s3: S3Settings) -> Store:
    return apps.store_of(settings("redis://unused", "sqlite://", s3))


@dataclass(frozen=True)
class Put:
    """One request as a client would send it with the address it was given."""

    url: str
    method: str = "PUT"
    body: bytes = BODY
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": JPEG})

    def send(self) -> int:
        return httpx.request(
            self.method, self.url, content=self.body, headers=self.headers
        ).status_code


def signed_for(s3: S3Settings) -> Put:
    return Put(store_of(s3).presign_put(MINE, JPEG, len(BODY)))


def test_the_signed_file_is_taken_and_can_be_deleted(any_store: S3Settings) -> None:
    store = store_of(any_store)
    assert signed_for(any_store).send() == 200
    assert store.head(MINE) == Head(len(BODY), JPEG)
    assert httpx.get(store.presign_get(MINE)).content == BODY
    store.delete([MINE, "never/was"])
    assert store.head(MINE) is None
    store.ping()


def longer(put: Put) -> Put:
    return replace(put, body=BODY + b"more")


def shorter(put: Put) -> Put:
    return replace(put, body=BODY[:-1])


def empty(put: Put) -> Put:
    return replace(put, body=b"")


def mistyped(put: Put) -> Put:
    return replace(put, headers={"Content-Type": "text/html"})


def untyped(put: Put) -> Put:
    return replace(put, headers={})


def to_another_upload(put: Put) -> Put:
    return replace(put, url=put.url.replace(MINE, OTHER))


def over_a_checked_photo(put: Put) -> Put:
    return replace(put, url=put.url.replace(MINE, CHECKED))


def forged(put: Put) -> Put:
    last = put.url[-1]
    return replace(put, url=put.url[:-1] + ("0" if last != "0" else "1"))


def unsigned(put: Put) -> Put:
    return replace(put, url=put.url.split("?")[0])


def good_for_a_week(put: Put) -> Put:
    return replace(put, url=put.url.replace(f"Expires={UPLOAD_EXPIRES_S}", "Expires=604800"))


def with_a_stranger_s_key_id(put: Put) -> Put:
    return replace(put, url=put.url.replace("X-Amz-Credential=", "X-Amz-Credential=X"))


CHANGES = [
    longer,
    shorter,
    empty,
    mistyped,
    untyped,
    to_another_upload,
    over_a_checked_photo,
    forged,
    unsigned,
    good_for_a_week,
    with_a_stranger_s_key_id,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_anything_else_is_refused(any_store: S3Settings, change: Callable[[Put], Put]) -> None:
    put = change(signed_for(any_store))
    assert put != signed_for(any_store)
    assert 400 <= put.send() < 500
    store = store_of(any_store)
    assert [store.head(key) for key in (MINE, OTHER, CHECKED)] == [None, None, None]


def test_an_expired_address_is_refused(
    any_store: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = datetime.now(UTC) - timedelta(seconds=UPLOAD_EXPIRES_S + 5)
    with monkeypatch.context() as past:
        past.setattr(
            botocore.auth, "get_current_datetime", lambda **_: long_ago.replace(tzinfo=None)
        )
        put = signed_for(any_store)
    assert long_ago.strftime("X-Amz-Date=%Y%m%dT%H%M%SZ") in put.url
    assert 400 <= put.send() < 500
    assert store_of(any_store).head(MINE) is None


def test_an_address_signed_with_another_secret_is_refused(any_store: S3Settings) -> None:
    stranger = replace(any_store, secret_access_key="guessed-guessed-guessed-guessed")
    assert 400 <= signed_for(stranger).send() < 500
    assert store_of(any_store).head(MINE) is None


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_an_address_for_writing_does_nothing_else(any_store: S3Settings, method: str) -> None:
    put = signed_for(any_store)
    assert put.send() == 200
    other = replace(put, method=method, body=b"" if method != "POST" else BODY)
    assert 400 <= other.send() < 500
    assert store_of(any_store).head(MINE) == Head(len(BODY), JPEG)


def test_what_is_stored_is_read_only_with_a_signature(any_store: S3Settings) -> None:
    assert signed_for(any_store).send() == 200
    url = store_of(any_store).presign_get(MINE)
    assert httpx.get(url).status_code == 200
    assert 400 <= httpx.get(url.split("?")[0]).status_code < 500
    bucket = f"{any_store.endpoint_url}/{any_store.bucket}"
    assert 400 <= httpx.get(bucket).status_code < 500
    assert urlsplit(url).netloc == urlsplit(any_store.endpoint_url).netloc


# --- headers that nobody signed ------------------------------------------------------------------

POLICY = Path(__file__).parents[3] / "docs" / "bucket-policy.json"
PICTURE = "pictures/try_1.jpg"
EVERYBODY = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'


@pytest.fixture
def guarded_store(any_store: S3Settings) -> S3Settings:
    """A bucket with the policy of the documentation, and somebody's picture in it."""
    client, policy = any_store.client(), POLICY.read_text().replace("BUCKET", any_store.bucket)
    with suppress(ClientError):  # the local store knows no policies, and refuses by itself
        client.put_bucket_policy(Bucket=any_store.bucket, Policy=policy)
    client.put_object(Bucket=any_store.bucket, Key=PICTURE, Body=b"hers alone")
    return any_store


def test_the_policy_lets_us_work(guarded_store: S3Settings) -> None:
    store = store_of(guarded_store)
    assert signed_for(guarded_store).send() == 200
    assert httpx.get(store.presign_get(PICTURE)).content == b"hers alone"
    store.delete([MINE, PICTURE])
    assert [store.head(MINE), store.head(PICTURE)] == [None, None]


@pytest.mark.parametrize(
    "more",
    [
        {"x-amz-copy-source": "/{bucket}/" + PICTURE},
        {"x-amz-copy-source": "{bucket}/" + PICTURE, "x-amz-acl": "public-read"},
        {"x-amz-acl": "public-read"},
        {"x-amz-acl": "public-read-write"},
        {"x-amz-acl": "authenticated-read"},
        {"x-amz-grant-read": EVERYBODY},
        {"x-amz-grant-read-acp": EVERYBODY},
        {"x-amz-grant-write-acp": EVERYBODY},
        {"x-amz-grant-full-control": EVERYBODY},
    ],
    ids=lambda more: "-".join(more).replace("x-amz-", ""),
)
def test_an_upload_neither_copies_nor_publishes(
    guarded_store: S3Settings, more: dict[str, str]
) -> None:
    """Ceph's gateway obeys `x-amz-` headers that the signature does not cover."""
    told = {name: value.replace("{bucket}", guarded_store.bucket) for name, value in more.items()}
    put = signed_for(guarded_store)
    assert replace(put, headers=put.headers | told).send() == 403
    assert store_of(guarded_store).head(MINE) is None
