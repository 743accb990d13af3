"""MMDU-45k's size: the streamed pass, loading, memory, a cluster; each against what a person would write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.corpus import DIALOGS, KINDS, SHARED, corpus
from benchmarks.results import Result

HERE = Path(__file__).parent
RUNS = 3

OURS = """
import json, sys
import mmdu_analysis as mmdu
table = mmdu.dataset_statistics(sys.argv[1])
value = lambda row, column: float(table.loc[row, column])
print(json.dumps({
    "dialogs": value("dialogs", "value"), "qa_pairs": value("qa_pairs", "value"),
    "turns": value("turns", "average"), "most_turns": value("turns", "maximum"),
    "images": value("images", "average"), "unique_images": value("unique_images", "value"),
    "text_tokens": value("text_tokens", "average"), "most_text_tokens": value("text_tokens", "maximum"),
    "question_length": value("question_length", "average"), "answer_length": value("answer_length", "average"),
}))
"""
CONVERT = """
import mmdu_analysis as mmdu, warnings
warnings.simplefilter("ignore")
print(mmdu.convert(sys.argv[1], sys.argv[2], sys.argv[3]).n_dialogs)
"""
LOADS = {
    "mmdu.load_benchmark": "import mmdu_analysis as mmdu, warnings; warnings.simplefilter('ignore')\n"
    "turns = len(mmdu.load_benchmark(sys.argv[1]).turns)",
    "pandas.read_json + explode": "import pandas as pd\n"
    "frame = pd.read_json(sys.argv[1])[['id', 'conversations']].explode('conversations', ignore_index=True)\n"
    "talk = pd.json_normalize(frame['conversations'].tolist())\n"
    "turns = int((talk['from'] == 'user').sum())",
    "DuckDB": "import duckdb; duckdb.sql('set enable_progress_bar = false')\n"
    "turns = duckdb.sql(f\"select id, unnest(conversations) as m from read_json('{sys.argv[1]}', "
    "maximum_object_size=1000000000)\").df()['m'].map(lambda m: m['from'] == 'user').sum()",
    "Polars": "import polars as pl\n"
    "turns = pl.read_json(sys.argv[1]).explode('conversations').unnest('conversations')"
    ".filter(pl.col('from') == 'user').height",
    "mmdu.load_benchmark, Parquet": "import mmdu_analysis as mmdu, warnings; warnings.simplefilter('ignore')\n"
    "turns = len(mmdu.load_benchmark(sys.argv[2]).turns)",
}


def cold(code: str, *args: object, **env: str) -> tuple[float, float, str]:
    """Run code in a new process: seconds, peak MiB of all its processes together, and what it printed."""
    command = [sys.executable, "-c", "import sys\n" + code, *map(str, args)]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | env)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, tree_memory(process.pid))
        time.sleep(0.1)
    printed = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(f"failed: {code}")
    return time.perf_counter() - start, peak, printed


def keep_in_memory(path: Path) -> None:
    """Read a file once, so that the next process doesn't wait for the disk: neither of two that are compared does."""
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass


def tree_memory(pid: int) -> float:
    """MiB that a process and its children hold themselves; mapped files aside, shared pages once a process."""
    total = 0.0
    for path in (f"/proc/{pid}", *children(pid)):
        try:
            for line in Path(path, "status").read_text().splitlines():
                if line.startswith(("RssAnon", "RssShmem")):
                    total += int(line.split()[1]) / 1024
        except (OSError, ValueError):  # it ended meanwhile
            continue
    return total


def children(pid: int) -> Iterator[str]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in found:
        yield f"/proc/{child}"


def streamed_pass() -> Iterator[Result]:
    """Measure 45,000 dialogues of each kind in a cold process, against the script, three times side by side."""
    script = (HERE / "script.py").read_text()
    tokens = {"TIKTOKEN_CACHE_DIR": str(SHARED / "tiktoken_cache")} if SHARED.is_dir() else {}
    for kind in KINDS:
        path = corpus(kind=kind)
        size = path.stat().st_size / 2**20
        for run in range(1, RUNS + 1):
            keep_in_memory(path)
            seconds, peak, printed = cold(OURS, path)
            keep_in_memory(path)
            plain_seconds, plain_peak, plain = cold(script, path, **tokens)
            check_equal(json.loads(printed), json.loads(plain))
            name = f"statistics of {size:,.0f} MiB, {kind}, run {run}"
            yield Result(
                name, "script: json.load, tiktoken, pandas", seconds, plain_seconds, peak, plain_peak
            )


def conversions() -> Iterator[Result]:
    """Convert 45,000 dialogues to each format in a cold process, against the statistics of the same file."""
    from mmdu_analysis.io.formats import FORMATS

    path = corpus(kind="prose")
    size = f"{path.stat().st_size / 2**20:,.0f} MiB"
    keep_in_memory(path)
    measured, _, _ = cold(OURS, path)
    for to, form in FORMATS.items():
        with tempfile.TemporaryDirectory() as folder:
            keep_in_memory(path)
            seconds, peak, printed = cold(CONVERT, path, Path(folder) / f"out{form.suffixes[0]}", to)
        assert int(printed) == DIALOGS
        yield Result(f"convert {size} to {to}", "statistics", seconds, measured, peak)


def check_equal(ours: dict[str, float], theirs: dict[str, float]) -> None:
    """Every number that the script prints."""
    for name, value in theirs.items():
        assert abs(ours[name] - value) <= 1e-9 * abs(value), (name, ours[name], value)


def limits() -> Iterator[Result]:
    """How fast a single core can do each step of the pass, on the same bytes: the limit."""
    import msgspec
    import toktok

    from mmdu_analysis.io.decode import decode_block
    from mmdu_analysis.io.records import file_blocks, find_layout, read_block
    from mmdu_analysis.stats.references import count_turn_images

    path = corpus()
    blocks = [block for block in file_blocks(path, find_layout(path)) if block.stop < 200 << 20]
    size = sum(block.stop - block.start for block in blocks) / 2**20
    toktok.batch_count(["a word"], "o200k_base")
    clock = time.perf_counter
    spent = dict.fromkeys(("read", "split", "decode and pair", "count tokens", "find image references"), 0.0)
    for block in blocks:
        marks = [clock()]
        data = read_block(block)
        marks.append(clock())
        msgspec.json.decode(data, type=list[msgspec.Raw])
        marks.append(clock())
        dialogs = decode_block(block).dialogs
        marks.append(clock())
        texts = [text for dialog in dialogs for text in (*dialog.questions, *dialog.answers)]
        toktok.batch_count(texts, "o200k_base", threads=1)
        marks.append(clock())
        for dialog in dialogs:
            have = frozenset(dialog.image_numbers)
            for question in dialog.questions:
                count_turn_images(question, have, len(have))
        marks.append(clock())
        for name, begin, end in zip(spent, marks, marks[1:], strict=False):
            spent[name] += end - begin
    for name, seconds in spent.items():
        yield Result(f"limit, one core: {name} {size:,.0f} MiB", f"{size / seconds:,.0f} MiB/s", seconds)


def memory_growth() -> Iterator[Result]:
    """Peak memory for 1, 2 and 4 times the data."""
    found = []
    for times in (1, 2, 4):
        path = corpus(11_250 * times)
        seconds, peak, _ = cold(OURS, path)
        found.append((path.stat().st_size / 2**20, peak))
        yield Result(f"peak memory at {found[-1][0]:,.0f} MiB", "", seconds, None, peak)
    growth = (found[-1][1] - found[0][1]) / (found[-1][0] - found[0][0])
    assert growth < 0.2, growth
    told = f"{growth:.3f} MiB for each MiB of file (limit: 0.2)"
    yield Result("growth of peak memory", told, float("nan"))


def loading() -> Iterator[Result]:
    """Load the whole data in frames, cold processes in turn; all must find the same number of turns."""
    import warnings

    from mmdu_analysis import load_benchmark

    path = corpus()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load_benchmark(path).to_parquet(Path(folder) / "copy")
        ours: tuple[float, float] | None = None
        counts = set()
        for name, code in LOADS.items():
            timed = f"import time, pandas, pyarrow\nstart = time.perf_counter()\n{code}\nprint(turns, time.perf_counter() - start)"
            runs = [cold(timed, path, Path(folder) / "copy") for _ in range(RUNS)]
            counts |= {run[2].split()[0] for run in runs}
            seconds = sorted(float(run[2].split()[1]) for run in runs)[RUNS // 2]
            peak = sorted(run[1] for run in runs)[RUNS // 2]
            ours = ours or (seconds, peak)
            if name == "mmdu.load_benchmark":
                continue
            if name.endswith("Parquet"):
                yield Result(
                    "load from Parquet", "mmdu.load_benchmark from JSON", seconds, ours[0], peak, ours[1]
                )
            else:
                yield Result("load all in frames", name, ours[0], seconds, ours[1], peak)
    assert len(counts) == 1, counts


def writing() -> Iterator[Result]:
    """Write everything as JSON, against json's own dump of the records; read again it must be the same."""
    import warnings

    import pandas as pd

    from mmdu_analysis import load_benchmark

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bench = load_benchmark(corpus())
        start = time.perf_counter()
        bench.to_json(Path(folder) / "copy.json")
        ours = time.perf_counter() - start
        again = load_benchmark(Path(folder) / "copy.json")
        pd.testing.assert_frame_equal(again.turns, bench.turns)
        pd.testing.assert_frame_equal(again.images, bench.images)
        records = json.loads(corpus().read_bytes())
        start = time.perf_counter()
        with (Path(folder) / "plain.json").open("w", encoding="utf-8") as out:
            json.dump(records, out, ensure_ascii=False)
        yield Result("write all as JSON", "json.dump of the records", ours, time.perf_counter() - start)


def cluster() -> Iterator[Result]:
    """Dask with 1 and 2 workers on 1, 2, 4 and 8 times the data, and this machine's engine beside it."""
    import warnings

    import pandas as pd
    from distributed import LocalCluster

    from mmdu_analysis import dialog_lengths

    warnings.simplefilter("ignore")
    paths = {times: corpus(5_625 * times) for times in (1, 2, 4, 8)}
    for workers in (1, 2):
        with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as made:
            dialog_lengths(paths[1], "dask", scheduler=made.scheduler_address)  # starts them
            for path in paths.values():
                start = time.perf_counter()
                found = dialog_lengths(path, "dask", scheduler=made.scheduler_address)
                seconds = time.perf_counter() - start
                start = time.perf_counter()
                local = dialog_lengths(path)
                other = time.perf_counter() - start
                pd.testing.assert_frame_equal(found, local)
                size = path.stat().st_size / 2**20
                yield Result(f"Dask, {workers} workers, {size:,.0f} MiB", "engine='local'", seconds, other)
