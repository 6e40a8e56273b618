"""Whatever passes the rule means the same to whoever connects."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from gpu_worker.contract import address_fault

WORDS = ["//", "http", "https", "shop.example", "10.0.0.1", "::1", "80", "22", "443", "ada", "%40"]
PARTS = st.sampled_from([*"@:/\\?#[]%.&= \t\n\x00é。\u2488", *WORDS])
ADDRESSES = st.builds(
    lambda scheme, rest: f"{scheme}://" + "".join(rest),
    st.sampled_from(["http", "https", "HTTPS", "file"]),
    st.lists(PARTS, max_size=8),
)


@given(ADDRESSES | st.text(max_size=40))
def test_what_passes_names_one_host_and_a_port_of_the_web_to_every_reader(address: str) -> None:
    if address_fault(address) is not None:
        return
    try:
        found = parse_url(address)
    except LocationParseError:
        return  # then nobody connects
    assert found.scheme in ("http", "https")
    assert found.auth is None
    assert found.port in (None, 80, 443)
    assert found.host
    if address.isascii():
        assert found.host.strip("[]").lower() == urlsplit(address).hostname


@pytest.mark.parametrize(
    "address",
    [
        "https://shop.example/tee.jpg",
        "http://shop.example:80/a/b.jpg?size=large#front",
        "https://shop.example:443/",
        "HTTPS://Shop.Example/tee%20one.jpg",
        "https://läden.example/hemd.jpg",
        "https://shop.example/a@b:22.jpg",
        "http://[2001:db8::1]/tee.jpg",
    ],
)
def test_honest_addresses_pass(address: str) -> None:
    assert address_fault(address) is None


def test_other_ports_are_for_tests_on_this_machine() -> None:
    assert address_fault("http://127.0.0.1:8080/tee.jpg", any_port=True) is None
    assert "port" in str(address_fault("http://127.0.0.1:8080/tee.jpg"))
