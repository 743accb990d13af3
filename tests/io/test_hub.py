"""Downloads from a server on loopback that behaves like the hub, and archives from strangers."""

from __future__ import annotations

import io
import json
import os
import signal
import stat
import struct
import subprocess
import sys
import time
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from builders import record
from hub_server import Hub

from mmdu_analysis import DataError
from mmdu_analysis.io import archives
from mmdu_analysis.io.archives import Limits, unzip

TOKEN = "hf_" + "secret" * 5


def picture():
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (40, 30)).save(buffer, "JPEG")
    return buffer.getvalue()


def archive(entries, **options):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as packed:
        for name, data in entries.items():
            packed.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def hub():
    text = json.dumps([record(number) for number in range(1_000)]).encode()
    pictures = archive({"mmdu_pics/a.jpg": picture(), "mmdu_pics/b.jpg": picture()})
    server = Hub({"benchmark.json": text, "mmdu_pics.zip": pictures})
    yield server
    server.shutdown()
    server.server_close()


def command(hub, cache, *args, **env):
    settings = {
        "HF_ENDPOINT": hub.address if hub else "http://127.0.0.1:9",
        "HF_HUB_CACHE": str(cache),
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    names = ("MMDU_DATA", "HF_HOME", "HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy", "ALL_PROXY")
    clean = {name: value for name, value in os.environ.items() if name not in names}
    return [sys.executable, "-m", "mmdu_analysis.cli", *map(str, args)], clean | settings | env


def mmdu(hub, cache, *args, **env):
    arguments, settings = command(hub, cache, *args, **env)
    return subprocess.run(arguments, capture_output=True, text=True, env=settings, check=False, timeout=120)


def test_a_download_is_found_by_its_name(hub, tmp_path):
    done = mmdu(hub, tmp_path, "download", "benchmark", "--images")
    assert done.returncode == 0, done.stderr
    assert "benchmark.json: 0.3 MB" in done.stderr
    assert done.stdout.strip().endswith("benchmark.json")
    checked = mmdu(hub, tmp_path, "validate", "benchmark")
    assert "0 problems" in checked.stderr
    before = len(hub.requests)
    assert mmdu(hub, tmp_path, "download", "benchmark", "--images").returncode == 0
    assert not [request for request in hub.requests[before:] if request[0] == "GET"]
    assert TOKEN in str(hub.requests[0])  # it was sent to the hub, and
    assert TOKEN not in done.stdout + done.stderr
    assert not [
        path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]


def test_a_folder_can_be_given(hub, tmp_path):
    done = mmdu(hub, tmp_path / "cache", "download", "benchmark", "--out", tmp_path / "mmdu")
    assert done.returncode == 0
    assert (tmp_path / "mmdu" / "benchmark.json").read_bytes() == hub.files["benchmark.json"]


def test_a_download_that_is_cut_goes_on(hub, tmp_path):
    long = [record(number) for number in range(30)]
    for entry in long:
        entry["conversations"][1]["value"] = "a word " * 100_000
    hub.files["benchmark.json"] = json.dumps(long).encode()
    hub.cut = 15_000_000  # huggingface_hub keeps what came in pieces of 10 MB
    done = mmdu(hub, tmp_path, "download", "benchmark")
    assert done.returncode == 0, done.stderr
    ranges = [request[2] for request in hub.requests if request[0] == "GET"]
    assert ranges[1] is not None
    assert ranges[1].startswith("bytes=10")
    (found,) = tmp_path.rglob("benchmark.json")
    assert found.read_bytes() == hub.files["benchmark.json"]


def one_line(done, *parts):
    lines = [line for line in done.stderr.splitlines() if line.startswith("mmdu: ") and " MB" not in line]
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(lines) == 1, done.stderr
    assert all(part in lines[0] for part in parts), lines[0]
    assert TOKEN not in done.stderr + done.stdout
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "HF_TOKEN"), (403, "HF_TOKEN"), (404, "pass a path"), (429, "wait"), (500, "try again")],
)
def test_refusals_are_one_line(hub, tmp_path, status, advice):
    hub.status = status
    one_line(mmdu(hub, tmp_path, "download", "benchmark"), "benchmark", str(status), advice)


def test_no_network_is_one_line(tmp_path):
    one_line(mmdu(None, tmp_path, "download", "benchmark"), "can't be reached", "try again")
    one_line(mmdu(None, tmp_path, "stats", "--data", "benchmark"), "mmdu download benchmark")


def test_a_wrong_checksum_is_not_kept(hub, tmp_path):
    hub.spoil = True
    one_line(mmdu(hub, tmp_path, "download", "benchmark"), "checksum", "download it again")
    hub.spoil = False
    assert mmdu(hub, tmp_path, "download", "benchmark").returncode == 0


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(options, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_line(hub, small_disk):
    one_line(mmdu(hub, small_disk, "download", "benchmark"), "disk is full", "HF_HUB_CACHE")


def test_a_full_disk_leaves_no_half_file(hub, small_disk, tmp_path):
    (tmp_path / "b.json").write_bytes(hub.files["benchmark.json"])
    done = mmdu(hub, tmp_path, "subset", "--data", tmp_path / "b.json", "--out", small_disk / "part.json")
    one_line(done, "part.json", "can't be written", "No space left")
    assert list(small_disk.iterdir()) == []


def test_killed_downloads_leave_no_half_file(hub, tmp_path):
    hub.slow = 0.01
    rng = np.random.default_rng(0)
    for _ in range(4):
        arguments, settings = command(hub, tmp_path, "download", "benchmark")
        process = subprocess.Popen(
            arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=settings
        )
        time.sleep(rng.uniform(0.3, 2.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        found = [path for path in tmp_path.rglob("benchmark.json") if path.is_file()]
        assert all(path.read_bytes() == hub.files["benchmark.json"] for path in found)
    hub.slow = 0
    assert mmdu(hub, tmp_path, "download", "benchmark").returncode == 0
    (found,) = tmp_path.rglob("benchmark.json")
    assert found.read_bytes() == hub.files["benchmark.json"]


def entry(name, mode=stat.S_IFREG | 0o644):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


EVIL = {
    "parent": entry("../evil.txt"),
    "deep parent": entry("a/../../evil.txt"),
    "absolute": entry("/tmp/evil.txt"),  # noqa: S108 - what must not be written
    "drive": entry("C:/evil.txt"),
    "backslash": entry("a\\..\\..\\evil.txt"),
    "link": entry("link", stat.S_IFLNK | 0o777),
    "device": entry("device", stat.S_IFCHR | 0o666),
    "fifo": entry("fifo", stat.S_IFIFO | 0o666),
    "control": entry("a\nb"),
}


@pytest.mark.parametrize("case", EVIL)
def test_what_leads_outside_or_is_no_file_is_refused(tmp_path, case):
    path = tmp_path / "pics.zip"
    path.write_bytes(archive({"good.txt": "x"}))
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr(EVIL[case], "/etc/passwd")
    with pytest.raises(DataError, match="not unpacked"):
        unzip(path, tmp_path / "out" / "in")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "evil.txt").exists()


def test_a_bomb_is_refused_before_it_is_written(tmp_path):
    data = archive({"zeros": bytes(5_000_000)}, compression=zipfile.ZIP_DEFLATED)
    path = tmp_path / "bomb.zip"
    path.write_bytes(data)
    with pytest.raises(DataError, match="zip bomb"):
        unzip(path, tmp_path / "out")
    forty = 40_000_000_000  # the same archive, saying that it unpacks to 40 GB
    fields = data.replace(struct.pack("<I", 5_000_000), struct.pack("<I", forty % 2**32))
    path.write_bytes(fields)
    with pytest.raises(DataError, match="zip bomb"):
        unzip(path, tmp_path / "out")
    path.write_bytes(archive({str(number): "x" for number in range(30)}))
    with pytest.raises(DataError, match="30 files, expected at most 10"):
        unzip(path, tmp_path / "out", Limits(files=10))
    with pytest.raises(DataError, match="30 bytes unpacked, expected at most 20"):
        unzip(path, tmp_path / "out", Limits(size=20))
    assert not (tmp_path / "out").exists()


def test_an_archive_that_lies_about_its_size_is_refused(tmp_path):
    data = archive({"zeros": bytes(500_000)}, compression=zipfile.ZIP_DEFLATED)
    path = tmp_path / "lie.zip"
    path.write_bytes(data.replace(struct.pack("<I", 500_000), struct.pack("<I", 1_000)))
    with pytest.raises(DataError, match="not a complete zip archive"):
        unzip(path, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == []


@pytest.mark.parametrize("wrong", [b"", b"PK", b"not a zip", "cut", "flipped"], ids=str)
def test_what_is_no_archive_is_one_line(tmp_path, wrong):
    good = archive({f"p/{number}.jpg": picture() for number in range(5)})
    data = {"cut": good[:-40], "flipped": good[:200] + bytes([good[200] ^ 255]) + good[201:]}.get(
        wrong, wrong
    )
    path = tmp_path / "pics.zip"
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        unzip(path, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    with pytest.raises(DataError, match="no such archive"):
        unzip(tmp_path / "none.zip", tmp_path / "out")


def test_a_part_done_extraction_is_not_taken_for_whole(tmp_path, monkeypatch):
    path, out = tmp_path / "pics.zip", tmp_path / "out"
    path.write_bytes(archive({f"p/{number}.jpg": picture() for number in range(5)}))
    left = out / ".pics.zip.unpacking" / "p"
    left.mkdir(parents=True)
    (left / "half.jpg").write_bytes(b"half")
    unzip(path, out)
    assert sorted(item.name for item in (out / "p").iterdir()) == [f"{number}.jpg" for number in range(5)]
    assert not (out / ".pics.zip.unpacking").exists()
    monkeypatch.setattr(archives, "_unpack", pytest.fail)  # whole: not unpacked again
    unzip(path, out)


def test_files_that_are_there_are_replaced_and_links_not_followed(tmp_path):
    path, out = tmp_path / "pics.zip", tmp_path / "out"
    path.write_bytes(archive({"p/a.txt": "new", "q/b.txt": "new"}))
    (out / "p").mkdir(parents=True)
    (out / "p" / "a.txt").write_text("old")
    (out / "p" / "mine.txt").write_text("mine")
    unzip(path, out)
    assert (out / "p" / "a.txt").read_text() == "new"
    assert (out / "p" / "mine.txt").read_text() == "mine"
    outside, other = tmp_path / "outside", tmp_path / "other"
    outside.mkdir()
    other.mkdir()
    (other / "p").symlink_to(outside)
    with pytest.raises(DataError, match="leads outside"):
        unzip(path, other)
    assert list(outside.iterdir()) == []


def test_two_names_for_one_place_and_no_room(tmp_path, monkeypatch):
    path = tmp_path / "pics.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.txt", "1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            packed.writestr("a.txt", "2")
    with pytest.raises(DataError, match="can't be unpacked"):
        unzip(path, tmp_path / "out")
    path.write_bytes(archive({"a.txt": "1"}))
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(DataError, match="only 0 are free"):
        unzip(path, tmp_path / "out")
