"""Gets a garment's picture from a URL that a merchant wrote, without becoming her way in.

Only public addresses, checked after the name is resolved and again at every redirect; bounded in
bytes and time. Knows HTTP; what the bytes are is for others to find out.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import requests
from requests_hardened import Config, Manager

from gpu_worker.contract import Reason
from gpu_worker.engine import Refusal

MAX_REDIRECTS = 3
CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Fetcher:
    """`allow_loopback` is for machines where shop and worker are the same, and for tests."""

    max_bytes: int
    allow_loopback: bool = False
    total_s: float = 15.0

    def fetch(self, url: str) -> bytes:
        """What lies at the URL.

        Raises:
            Refusal: image_url_unreachable (not there, not allowed, too slow), file_too_large.
        """
        found: list[bytes | Refusal] = []
        # In a thread of its own: a server that drips its headers could hold us for hours.
        thread = threading.Thread(target=lambda: found.append(self._try(url)), daemon=True)
        thread.start()
        thread.join(self.total_s)
        result = found[0] if found else Refusal(Reason.IMAGE_URL_UNREACHABLE, "too slow")
        if isinstance(result, Refusal):
            raise result
        return result

    def _try(self, url: str) -> bytes | Refusal:
        try:
            return self._read(url)
        except Refusal as refusal:
            return refusal
        except (requests.RequestException, OSError, ValueError) as error:
            return Refusal(Reason.IMAGE_URL_UNREACHABLE, type(error).__name__)

    def _read(self, url: str) -> bytes:
        with self._session() as session:
            headers = {"Accept": "image/*", "Accept-Encoding": "identity"}
            with session.get(url, headers=headers, stream=True) as answer:
                if answer.status_code != requests.codes.ok:
                    raise Refusal(Reason.IMAGE_URL_UNREACHABLE, f"HTTP {answer.status_code}")
                return self._body(answer)

    def _session(self) -> requests.Session:
        config = Config(
            ip_filter_enable=True,
            ip_filter_allow_loopback_ips=self.allow_loopback,
            never_redirect=False,
            default_timeout=(3, 5),
            user_agent_override="Proteus",
        )
        session: requests.Session = Manager(config).get_session()
        session.trust_env = False  # a proxy of ours would fetch what we may not
        session.max_redirects = MAX_REDIRECTS
        return session

    def _body(self, answer: requests.Response) -> bytes:
        until = time.monotonic() + self.total_s
        body = bytearray()
        for chunk in answer.iter_content(CHUNK_BYTES):
            body += chunk
            if len(body) > self.max_bytes:
                raise Refusal(Reason.FILE_TOO_LARGE, f"more than {self.max_bytes} bytes")
            if time.monotonic() > until:
                raise Refusal(Reason.IMAGE_URL_UNREACHABLE, "too slow")
        return bytes(body)
