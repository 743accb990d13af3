"""Limit the number of concurrent requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class StoppedError(BaseException):
    """The run ends; waiting requests are not sent.

    Not an `Exception`: the client would treat it as a lost connection and retry.
    """


class Slots:
    """A limit on the requests at the server.

    A slot is acquired when a request is sent and released when its turn is written, so that the server is
    never idle while requests are prepared, and a crash loses at most one request per slot.
    """

    def __init__(self, number: int) -> None:
        self._number, self._taken, self._stopped = number, 0, False
        self._changed = threading.Condition()
        self._mine = threading.local()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Process a turn: its requests wait for a slot, which is released at the end."""
        try:
            yield
        finally:
            self._give_back()

    def take(self, _request: object) -> None:
        """Wait for a slot; the HTTP client calls this before it sends.

        Raises
        ------
        StoppedError
            If the run ends.
        """
        if getattr(self._mine, "taken", False):
            return
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._taken < self._number)
            if self._stopped:
                raise StoppedError
            self._taken += 1
        self._mine.taken = True

    def refused(self, response: Any) -> None:
        """Release the slot during the back-off after an error reply."""
        if response.status_code >= 400:
            self._give_back()

    def stop(self) -> None:
        """Send no more requests."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait for the requests in progress; True if there are none."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._taken, seconds)

    def _give_back(self) -> None:
        if getattr(self._mine, "taken", False):
            self._mine.taken = False
            with self._changed:
                self._taken -= 1
                self._changed.notify_all()
