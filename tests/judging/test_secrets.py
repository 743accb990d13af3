"""The key and passwords appear in no message and no file; each test of judging is searched for them besides."""

from __future__ import annotations

import pytest
from chat_server import ChatServer, some_faults
from judging_tools import KEY, command, one_line_error, run_file

import mmdu_analysis as mmdu
from mmdu_analysis.schema import DataError


def test_the_key_reaches_the_server_and_nothing_else(small, tmp_path):
    with ChatServer(some_faults(3)) as server:
        address = server.url.replace("http://", "http://me:my-password@") + "?token=my-token"
        done = command(
            "answer", "--data", small.path, "--base-url", address, "--model", "m", "--out", tmp_path / "a"
        )
    assert done.returncode == 0, done.stderr
    assert f"Bearer {KEY}" in server.keys or any(key.startswith("Basic") for key in server.keys)
    written = [path.read_bytes() for path in (tmp_path / "a").iterdir()]
    for secret in (KEY, "my-password", "my-token"):
        assert secret not in done.stdout + done.stderr
        assert not any(secret.encode() in data for data in written)
    assert run_file(tmp_path / "a")["base_url"] == server.url


def test_a_parameter_that_looks_like_a_secret_is_refused(small, tmp_path):
    with pytest.raises(DataError, match="looks like a secret"):
        mmdu.answer(small, tmp_path / "a", "m", parameters={"api_key": KEY})
    with pytest.raises(DataError, match="set by the run itself"):
        mmdu.answer(small, tmp_path / "a", "m", parameters={"stream": True})
    one_line_error(
        command("answer", "--data", "sample", "--model", "m", "--out", tmp_path / "b", "--parameter", "x"),
        "expected NAME=VALUE",
    )
