"""A client for load tests: a shopper without a browser, by the widget's HTTP calls and live socket
(JSON).

Knows the public protocol and nothing of the server's code.
"""

from __future__ import annotations

import io
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from PIL import Image
from websocket import WebSocket, WebSocketConnectionClosedException, create_connection

from bench.stack import RunningStack

PATIENCE_S = 60.0
Frame = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shop:
    """A site as its pages know it: its publishable key and their origin."""

    publishable_key: str
    origin: str

    @classmethod
    def of_demo(cls, stack: RunningStack) -> Shop:
        return cls(stack.demo["publishable_key"], stack.origin)


class Shopper:
    """One shopper. `frames`: (arrival time, frame) from her live socket, oldest first.

    `address`: the loopback address she connects from; all of 127.0.0.0/8 is this machine."""

    def __init__(self, stack: RunningStack, shop: Shop | None = None, address: str = "127.0.0.1"):
        self._stack = stack
        self._shop = shop or Shop.of_demo(stack)
        self._address = address
        self._http = httpx.Client(
            base_url=stack.server_url.replace("localhost", "127.0.0.1"),
            headers={"Host": stack.server_url.partition("//")[2]},
            transport=httpx.HTTPTransport(local_address=address),
            timeout=30,
        )
        self._token = self._enter()
        self._told = threading.Condition()
        self.frames: list[tuple[float, Frame]] = []
        self._socket: WebSocket | None = None

    def _enter(self) -> str:
        origin = {"Origin": self._shop.origin}
        boot = self._post(f"/v1/sites/{self._shop.publishable_key}/boot", {}, headers=origin)
        own = {"Origin": self._stack.server_url}
        body = {"boot_token": boot["boot_token"]}
        return str(self._post("/v1/shopper-tokens", body, headers=own)["shopper_token"])

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """One API call as this shopper. Raises for any status of 400 or above."""
        bearer = {"Authorization": f"Bearer {self._token}"}
        answer = self._http.request(method, path, json=body, headers={**bearer, **headers})
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def _post(self, path: str, body: Any, headers: dict[str, str]) -> Any:
        answer = self._http.post(path, json=body, headers=headers)
        answer.raise_for_status()
        return answer.json()

    def listen(self) -> None:
        """Opens the live socket; a thread keeps its frames from now on."""
        ticket = self.call("POST", "/v1/live-tickets")["ticket"]
        url = self._stack.server_url.replace("http", "ws", 1) + "/v1/live"
        self._socket = create_connection(
            url, timeout=PATIENCE_S, origin=self._stack.server_url, socket=self._dial()
        )
        self._socket.send(json.dumps({"type": "hello", "ticket": ticket, "format": "json"}))
        threading.Thread(target=self._receive, args=(self._socket,), daemon=True).start()

    def _dial(self) -> socket.socket:
        port = urlsplit(self._stack.server_url).port or 80
        return socket.create_connection(("127.0.0.1", port), PATIENCE_S, (self._address, 0))

    def _receive(self, ws: WebSocket) -> None:
        while True:
            try:
                text = ws.recv()
            except (WebSocketConnectionClosedException, OSError):
                return
            if text:
                with self._told:
                    self.frames.append((time.time(), json.loads(text)))
                    self._told.notify_all()

    def hear(self, wanted: Callable[[Frame], bool]) -> tuple[float, Frame]:
        """Waits for the first frame that is wanted; returns when it came, and the frame."""
        deadline = time.monotonic() + PATIENCE_S
        with self._told:
            while not (found := [pair for pair in self.frames if wanted(pair[1])]):
                if not self._told.wait(deadline - time.monotonic()):
                    raise SystemExit("a frame that must come did not come")
        return found[0]

    def give_photo(self, jpeg: bytes) -> str:
        """Uploads a photo and waits until it is checked. Returns its id."""
        upload = self.call(
            "POST",
            "/v1/uploads",
            {"purpose": "photo", "content_type": "image/jpeg", "size_bytes": len(jpeg)},
        )
        httpx.put(upload["url"], content=jpeg, headers=upload["headers"]).raise_for_status()
        photo = self.call(
            "POST", "/v1/photos", {"key": upload["key"], "consent_version": "2026-11"}
        )
        _, frame = self.hear(
            lambda f: f["id"] == photo["id"] and f["type"] in ("photo.ready", "photo.rejected")
        )
        if frame["type"] != "photo.ready":
            raise SystemExit(f"the photo was refused: {frame['reasons']}")
        return str(photo["id"])

    def try_on(self, photo_id: str, garment_id: str) -> str:
        """Asks for a picture. Returns the try-on's id."""
        body = {"photo_id": photo_id, "garment_id": garment_id}
        key = {"Idempotency-Key": uuid.uuid4().hex}
        return str(self.call("POST", "/v1/try-ons", body, **key)["id"])

    def leave(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._http.close()


def small_photo(path: str, height_px: int = 512) -> bytes:
    """A photo from disk, made small, so that decoding is no part of what is measured."""
    with Image.open(path) as picture:
        picture.thumbnail((height_px, height_px))
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=90)
        return out.getvalue()
