"""Limit the number of requests at the server at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class StoppedError(BaseException):
    """The run ends; requests that are not at the server yet are not sent.

    Not an `Exception`: the client would take it for a lost connection and try again.
    """


class Slots:
    """A limit on the requests at the server.

    A slot is taken when a request is sent, not while it is prepared, and given back when its turn is written: so the
    server always has work, and a crash loses no more requests than there are slots.
    """

    def __init__(self, number: int) -> None:
        self._number, self._taken, self._stopped = number, 0, False
        self._changed = threading.Condition()
        self._mine = threading.local()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold a turn: its requests wait for a slot, which is given back at the end."""
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
        """Wait for the requests that are at the server; True when there are none."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._taken, seconds)

    def _give_back(self) -> None:
        if getattr(self._mine, "taken", False):
            self._mine.taken = False
            with self._changed:
                self._taken -= 1
                self._changed.notify_all()
