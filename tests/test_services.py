"""The fixtures of `conftest.py` give real, clean services."""

from __future__ import annotations

import httpx
import pytest
import redis
from sqlalchemy import create_engine, inspect

from server.models import Base
from tests.services import S3Settings

TWICE = pytest.mark.parametrize("turn", [1, 2])


@TWICE
def test_redis_is_empty_for_each_test(redis_url: str, turn: int) -> None:
    client = redis.Redis.from_url(redis_url)
    assert client.dbsize() == 0
    client.set("left", "over")


@TWICE
def test_a_store_has_an_empty_bucket_for_each_test(any_store: S3Settings, turn: int) -> None:
    client = any_store.client()
    assert "Contents" not in client.list_objects_v2(Bucket=any_store.bucket)
    client.put_object(Bucket=any_store.bucket, Key="a/b.jpg", Body=b"pixels")
    assert client.get_object(Bucket=any_store.bucket, Key="a/b.jpg")["Body"].read() == b"pixels"
    answer = httpx.get(f"{any_store.endpoint_url}/{any_store.bucket}/a/b.jpg")
    assert answer.status_code in (400, 403)  # rclone says 400 to an unsigned request


@TWICE
def test_a_database_has_all_tables_and_no_rows(database_url: str, turn: int) -> None:
    engine = create_engine(database_url)
    assert set(Base.metadata.tables) <= set(inspect(engine).get_table_names())
    merchants = Base.metadata.tables["merchants"]
    with engine.begin() as connection:
        assert connection.execute(merchants.select()).all() == []
        connection.execute(merchants.insert().values(id="mer_1", name="Ada"))
    engine.dispose()


def test_an_empty_database_has_no_table(empty_database_url: str) -> None:
    engine = create_engine(empty_database_url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()
