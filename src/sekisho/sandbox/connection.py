"""A connection that can't be held for nothing: what a client sends has a time, and a request's head a size."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 * 1024
"""Bytes of a request line and its headers; AWS's own limits are lower."""
HEAD_S = 20
BODY_S = 120
"""Seconds for a request's head, and for its body; between two requests uvicorn's own time holds."""


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with an eye on the clock and on the size of what isn't a request yet."""

    _in_head = True
    _head = 0
    _refused = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._within(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._within(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_head:
            self._head += len(data)
            if self._deadline is None:
                self._within(HEAD_S)
        super().data_received(data)
        if self._in_head and self._head > MAX_HEAD:
            self._refused = True
            self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            # Closing while it still sends would take the answer from it.
            self._within(1)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._within(BODY_S)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._head = True, 0
        self._within(None)
        super().on_message_complete()

    def _within(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self.transport.close) if seconds is not None else None
