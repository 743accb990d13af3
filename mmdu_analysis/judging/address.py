"""The address of a server: the parts that are sent, shown in messages, and kept secret."""

from __future__ import annotations

import base64
import ipaddress
import os
import socket
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from mmdu_analysis.schema import DataError

DEFAULT_URL = "https://api.openai.com/v1"


@dataclass(frozen=True)
class Address:
    """A server's address in parts.

    Attributes
    ----------
    url : str
        Scheme, host, port and path: no user, password or query. It is shown in messages and ``run.json``.
    host : str
        Host name.
    port : int
        Port.
    headers : dict of str to str
        ``Authorization`` if the address has a user and password.
    query : dict of str to str
        Parameters of the address, sent with every request.
    secrets : tuple of str
        Parts that must not be shown.
    """

    url: str
    host: str
    port: int
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    query: dict[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine."""
        name = self.host.rstrip(".").lower()
        if name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(name.partition("%")[0]).is_loopback
        except ValueError:
            return False

    @property
    def proxy(self) -> str | None:
        """The proxy of the environment for this address; never one for a server on this machine."""
        if self.is_loopback or proxy_bypass(self.host):
            return None
        proxies = getproxies()
        found = proxies.get(urlsplit(self.url).scheme) or proxies.get("all")
        return found if found is None or "://" in found else f"http://{found}"


def parse_address(base_url: str | None) -> Address:
    """Read the address of a server.

    Parameters
    ----------
    base_url : str or None
        Such as ``http://localhost:8000/v1``; None takes ``OPENAI_BASE_URL``, else OpenAI's.

    Returns
    -------
    Address
        Its parts.

    Raises
    ------
    DataError
        If it isn't an address. The message never repeats it, since a password may be anywhere in it.
    """
    given = (base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL).strip()
    advice = (
        "base_url: expected http:// or https:// and a host, such as http://localhost:8000/v1; characters such as / # ? @ in "
        "a password have to be percent-encoded (the address isn't repeated here, as it may hold one)"
    )
    try:
        parts = urlsplit(given)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
        before, at, behind = parts.netloc.rpartition("@")
        wrong = parts.scheme not in ("http", "https") or not host or given.count("@") != len(at)
        wrong |= any(not "!" <= char <= "~" for char in given) or "\\" in given
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError:
        raise DataError(advice) from None
    if wrong or host is None:
        raise DataError(advice)
    user, _, password = before.partition(":")
    headers = {}
    if at:
        pair = f"{unquote(user)}:{unquote(password)}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    secrets = (password or user, f"{unquote(user)}:{unquote(password)}" if at else "", *query.values())
    url = urlunsplit((parts.scheme, behind, parts.path.rstrip("/"), "", ""))
    return Address(url, host, port, headers, query, tuple(secret for secret in secrets if secret))


def public_host(location: str) -> str:
    """Return the host and port of an address in a server's reply, or ``""`` if there is none."""
    try:
        return urlsplit(location.strip()).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def check_listening(address: Address) -> None:
    """Validate that a server listens at an address; the client would report it only after all its retries.

    Raises
    ------
    DataError
        If no server listens. With a proxy this is not checked.
    """
    if address.proxy:
        return
    try:
        socket.create_connection((address.host, address.port), timeout=10).close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        text = f"{address.url}: no server answers at this address ({reason}); is the server running?"
        raise DataError(text) from None
