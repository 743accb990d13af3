"""The key and passwords appear in no message and no file; each test of judging is searched for them besides."""

from __future__ import annotations

import base64
import json
import logging
from urllib.parse import quote

import openai
import pytest
from chat_server import ChatServer, Fault, some_faults
from hypothesis import given
from hypothesis import strategies as st
from judging_tools import KEY, PASSWORD, command, one_line_error, run_file

import mmdu_analysis as mmdu
from mmdu_analysis.judging.address import parse_address
from mmdu_analysis.judging.endpoint import Server
from mmdu_analysis.judging.reply import TurnError
from mmdu_analysis.judging.secrets import Secrets, check_key
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


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", " \n", "\t"])
def test_a_key_with_a_line_end_is_used_without_it(small, tmp_path, monkeypatch, end):
    monkeypatch.setenv("OPENAI_API_KEY", KEY + end)
    fault = lambda number, body: Fault(403, {"error": {"message": f"not {KEY}{end}!"}})  # noqa: E731
    with ChatServer() as server:
        assert len(mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)) == 7
        assert server.keys == {f"Bearer {KEY}"}
        server.fault = fault
        with pytest.raises(DataError, match=r"not \[key\]"):
            mmdu.answer(small, tmp_path / "b", "m", base_url=server.url)


@pytest.mark.parametrize("sign", ["ä", "\u200b", "a b", "a\nb", "\x00", "“"])
def test_a_key_that_no_header_can_carry_ends_in_one_line(small, tmp_path, monkeypatch, sign):
    if "\0" in sign:  # the environment can't hold it either
        with pytest.raises(DataError, match="not a printable ASCII character"):
            check_key(f"sk-{sign}x")
        return
    monkeypatch.setenv("OPENAI_API_KEY", f"sk-secret{sign}1234567")
    with ChatServer() as server:
        done = command(
            "answer", "--data", small.path, "--base-url", server.url, "--model", "m", "--out", tmp_path / "a"
        )
    one_line_error(done, "OPENAI_API_KEY", "not a printable ASCII character")
    assert "sk-secret" not in done.stderr
    assert not (tmp_path / "a").exists()


def echo(text):
    """The forms in which servers and proxies repeat what they were sent."""
    raw = text.encode()
    return [
        text, repr(text), json.dumps(text), f"Bearer {text}", f"\x1b[31m{text}\x1b[0m", "a" * 290 + text,
        base64.b64encode(raw).decode(), base64.b64encode(f"Bearer {text}".encode()).decode(),
        base64.urlsafe_b64encode(raw).decode(), raw.hex(), json.dumps({"headers": {"Authorization": text}}),
    ]  # fmt: skip


@pytest.mark.parametrize("form", range(11))
@pytest.mark.parametrize(
    "where", ["error with 200", "finish_reason", "models", "error", "answer", "thinking"]
)
def test_a_server_that_repeats_the_key_does_not_leak_it(small, tmp_path, where, form):
    """Files, outputs, warnings and errors are searched by the fixture; here for the other forms too."""
    text = echo(KEY)[form]
    fault = {
        "error with 200": Fault(body={"error": {"message": text}}),
        "finish_reason": Fault(text="A reply.", finish=text),
        "models": Fault(404, {"error": {"message": text}}),
        "error": Fault(400, {"error": {"message": text, "code": text, "param": text}}),
        "answer": Fault(text=f"You sent {text}."),
        "thinking": Fault(text="A reply.", message={"reasoning_content": text}),
    }[where]
    with ChatServer(lambda number, body: fault) as server:
        server.models = [text, "other"]
        try:
            run = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, limit=1, return_run=True)
            texts = [run.table.to_csv(), run.missing.to_csv(), str(run.info)]
        except DataError as error:
            texts = [str(error)]
        else:
            assert where not in ("models", "error")
    texts += [path.read_text() for path in (tmp_path / "a").iterdir() if path.suffix == ".json"]
    hidden = [
        KEY,
        text if len(text) < 290 else KEY,
        base64.b64encode(KEY.encode()).decode()[:20],
        KEY.encode().hex(),
    ]
    for secret in hidden:
        if where in ("answer", "thinking") and secret not in (KEY, *hidden[2:]):
            continue
        assert not any(secret in found for found in texts)
    assert any("[key]" in found for found in texts) or form == 5  # cut before the key


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "key",
        "auth",
        "bearer",
        "passwd",
        "password",
        "Authorization",
        "x-api-key",
        "hf_token",
        "PWD",
        "apiKey",
    ],
)
def test_parameters_that_look_like_secrets_are_refused(small, tmp_path, name):
    for parameters in ({name: "x"}, {"extra": [{name: "x"}]}):
        with pytest.raises(DataError, match="looks like a secret"):
            mmdu.answer(small, tmp_path / "a", "m", parameters=parameters, base_url="http://127.0.0.1:9")
    with pytest.raises(DataError, match="is in the model's name or the parameters"):
        mmdu.answer(small, tmp_path / "a", "m", parameters={"user": KEY}, base_url="http://127.0.0.1:9")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("name", ["max_tokens", "stop_token_ids", "skip_special_tokens", "top_k", "seed"])
def test_other_parameters_are_not(small, tmp_path, name):
    with ChatServer() as server:
        mmdu.answer(small, tmp_path / "a", "m", parameters={name: 1}, base_url=server.url, limit=1)
    assert all(body[name] == 1 for body in server.requests)


@pytest.mark.parametrize(
    "form",
    [
        "me:{}@127.0.0.1:9/v1", "http://me:{}@127.0.0.1:9/v1", "https://me:{}@host/v1", "//me:{}@host", "{}@host",
        "http://host/v1?token={}@x", "http://host/{}@/v1", "ftp://me:{}@host", "http://[{}@host", "http://me:{}@host:port",
        "http://me:{}@ho st/", "http://@@{}@host", "http://127.0.0.1:9/v1?api_key={}", "me:{}", "{}",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "password", [PASSWORD, "pass/word-12345", "pass#word-12345", "pass?word-12345", "p@ss-12345"]
)
def test_a_password_in_an_address_is_never_shown(small, tmp_path, monkeypatch, form, password):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DataError) as caught:
        mmdu.answer(small, tmp_path / "a", "m", base_url=form.format(password), timeout=2, retries=0)
    for part in (password, password[:8], password[-5:]):
        assert part not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_password_is_sent_and_not_logged(small, tmp_path, caplog):
    """The HTTP client writes each address to its log: the password isn't in it."""
    caplog.set_level(logging.DEBUG)
    with ChatServer() as server:
        url = server.url.replace("http://", f"http://me:{quote(PASSWORD, safe='')}@")
        mmdu.answer(small, tmp_path / "a", "m", base_url=url)
    assert server.keys == {f"Basic {base64.b64encode(f'me:{PASSWORD}'.encode()).decode()}"}
    assert parse_address(url).url == server.url


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=60), st.integers(0, 40)
)
def test_whatever_the_key_it_is_replaced_in_every_form(key, before):
    secrets = Secrets([key])
    for form in (
        key,
        repr(key)[1:-1],
        json.dumps(key)[1:-1],
        base64.b64encode(key.encode()).decode(),
        quote(key, safe=""),
    ):
        if form.casefold() in ("none", "empty", "dummy", "test", "local"):
            continue
        cleaned = secrets.clean("\u4e00" * before + form + "\u4e00\n\x1b[0m")
        assert form not in cleaned
        assert len(cleaned) <= 300
        assert cleaned.isprintable()
        assert form not in secrets.redact(f"\u4e00{form}\u4e00")
    assert secrets.redact("\u4e00 an answer\n\x1b") == "\u4e00 an answer\n\x1b"


def test_placeholders_are_not_secrets():
    assert Secrets(["none", "EMPTY", None, ""]).clean("none is empty, EMPTY") == "none is empty, EMPTY"


@pytest.mark.parametrize(
    "error",
    [
        openai.APIConnectionError(message=f"the proxy refuses {KEY}\x1b[31m\nnext", request=None),
        openai.OpenAIError(f"illegal header {KEY}\x1b[31m\nnext"),
        ValueError(f"illegal header {KEY}\x1b[31m\nnext"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_the_client_itself_is_cleaned_too(monkeypatch, error):
    def fail(*_, **__):
        raise error

    with ChatServer() as server, Server("m", server.url, retries=0).connect() as endpoint:
        monkeypatch.setattr(endpoint._client, "post", fail)
        with pytest.raises((DataError, TurnError), match=r"\[key\] ?\[31m next") as caught:
            endpoint.ask([{"role": "user", "content": "A question?"}])
    assert KEY not in str(caught.value)
    assert str(caught.value).isprintable()
