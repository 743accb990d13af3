"""Every benchmark: each against a plain way, in one run and with its correctness check.

``python -m benchmarks`` runs all and writes the results; ``python -m benchmarks NAME ...`` runs some and replaces theirs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import browsing, corpus, judging, scale
from benchmarks.results import Result, write_results
from mmdu_analysis.io.benchmark import Benchmark

RUNS = 5


def median_seconds(work: Callable[[], object]) -> float:
    """Median time of a few runs."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def run_python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def import_time() -> Iterator[Result]:
    """``import mmdu_analysis`` against ``import pandas``, cold processes in turn."""
    ours = median_seconds(lambda: run_python("import mmdu_analysis"))
    pandas = median_seconds(lambda: run_python("import pandas"))
    yield Result("python -c 'import mmdu_analysis'", "python -c 'import pandas'", ours, pandas)


def token_counts() -> Iterator[Result]:
    """Count the sample's texts, against tiktoken in a loop."""
    cache = Path(__file__).parents[2] / "shared" / "tiktoken_cache"
    if cache.is_dir():
        os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(cache))
    import tiktoken

    from mmdu_analysis import count_tokens, load_benchmark

    turns = load_benchmark("sample").turns
    texts = [*turns["question"], *turns["answer"]]
    try:
        encoding = tiktoken.get_encoding("o200k_base")
    except Exception as error:  # offline and not cached
        print(f"token counts: left out, tiktoken's file can't be had ({type(error).__name__})")
        return
    assert count_tokens(texts).tolist() == [len(encoding.encode_ordinary(text)) for text in texts]
    ours = median_seconds(lambda: count_tokens(texts))
    loop = median_seconds(lambda: [len(encoding.encode_ordinary(text)) for text in texts])
    yield Result(f"count tokens of {len(texts):,} texts", "tiktoken's loop", ours, loop)


def score_summaries() -> Iterator[Result]:
    """Summarise 17 models x 110 dialogues x 15 turns x 7 dimensions, against a loop over the rows."""
    import numpy as np

    from mmdu_analysis import sample_scores, summarize_scores

    scores = sample_scores({f"model-{n:02d}": "closed" if n < 4 else "open" for n in range(17)})
    by_hand = {}

    def row_loop() -> None:
        """One resample by a row loop; the library's 5,000 would take that many times as long."""
        rows = {}
        for row in scores.itertuples():
            rows.setdefault((row.model, row.dimension), {}).setdefault(row.dialog_id, []).append(row.score)
        rng = np.random.default_rng(0)
        for key, dialogs in rows.items():
            values = [value for part in dialogs.values() for value in part]
            by_hand[key] = 10 * sum(values) / len(values)
            keys = list(dialogs)
            drawn = [dialogs[keys[place]] for place in rng.integers(0, len(keys), len(keys))]
            total, count = sum(map(sum, drawn)), sum(map(len, drawn))
            by_hand[key, "draw"] = 10 * total / count

    loop = median_seconds(row_loop)
    ours = median_seconds(lambda: summarize_scores(scores))
    frame = summarize_scores(scores)
    for row in frame.itertuples():
        assert abs(row.mean - by_hand[row.model, row.dimension]) < 1e-9
    yield Result(
        f"summarise {len(scores):,} scores, 5,000 resamples",
        "row loop as VLMEvalKit's, 1 resample",
        ours,
        loop,
    )


def many_dialogues(count: int = 45_000, turns: int = 9) -> Benchmark:
    """Repeat the sample's turns in the shape of MMDU-45k: 9 turns and 3 images per dialogue."""
    import numpy as np
    import pandas as pd

    from mmdu_analysis import load_benchmark

    sample = load_benchmark("sample")
    text = sample.turns[["question", "answer"]].sample(
        count * turns, replace=True, random_state=0, ignore_index=True
    )
    ids = np.arange(count).astype(str)
    keys = {
        "dialog_id": pd.array(np.repeat(ids, turns), dtype="str"),
        "turn": np.tile(np.arange(1, turns + 1), count),
    }
    images = {"dialog_id": pd.array(np.repeat(ids, 3), dtype="str"), "image": np.tile([1, 2, 3], count)}
    return Benchmark(
        "synthetic: the sample's turns repeated",
        pd.DataFrame(
            {"n_turns": turns, "n_images": 3, "system": None, "synthetic": True},
            index=pd.Index(ids, name="dialog_id", dtype="str"),
        ).astype({"system": "str"}),
        pd.DataFrame(keys).assign(
            question=text["question"], answer=text["answer"], new_images=0, images_so_far=3, synthetic=True
        ),
        pd.DataFrame(images)
        .assign(path=[f"/p/{n}.jpg" for n in range(3 * count)], first_turn=1, width=640, height=480)
        .astype({"path": "str", "first_turn": "Int64", "width": "Int64", "height": "Int64"}),
    )


def dialogue_browser() -> Iterator[Result]:
    """Open, step and search in 45,000 dialogues, on the Python side; search against pandas' own."""
    from mmdu_analysis.browser.session import Session

    bench = many_dialogues()
    session = Session(bench)
    words = ["quiet garden", "Castle recalls", "nothing like this"]
    found = iter(words * RUNS)

    def pandas_search(word: str) -> int:
        columns = [
            bench.turns[name].str.contains(word, case=False, regex=False) for name in ("question", "answer")
        ]
        return int((columns[0] | columns[1]).sum())

    session.handle({"kind": "filter", "filters": {"query": words[0]}})
    assert int(session.mask.sum()) == pandas_search(words[0])
    session.handle({"kind": "filter", "filters": {}})
    opening = median_seconds(
        lambda: (Session(bench), session.handle({"kind": "list", "start": 0, "count": 40}))
    )
    step = median_seconds(lambda: session.handle({"kind": "step", "by": 1, "of": "dialog"}))
    search = median_seconds(lambda: session.handle({"kind": "filter", "filters": {"query": next(found)}}))
    pandas = median_seconds(lambda: pandas_search(words[1]))
    megabytes = sum(bench.turns[name].str.len().sum() for name in ("question", "answer")) / 1e6
    size = f"{len(bench.dialogs):,} dialogues, {megabytes:,.0f} MB of text"
    yield Result(f"browser: open {size}", "", opening)
    yield Result("browser: step", "", step)
    yield Result("browser: search", "pandas' own search", search, pandas)
    facts = median_seconds(lambda: Session(bench).handle({"kind": "filter", "filters": {"about": [2, 3]}}))
    yield Result("browser: first filter by images asked about", "", facts)


def browse_command() -> Iterator[Result]:
    """Start ``mmdu browse`` on 45,000 dialogues: until the page answers, and until it has the first list."""
    from mmdu_analysis import load_benchmark

    source = corpus.corpus(kind="prose")
    with tempfile.TemporaryDirectory() as folder:
        copy, archive = Path(folder) / "copy", Path(folder) / "pictures.zip"
        bench = load_benchmark(source)
        bench.to_parquet(copy)
        browsing.write_pictures(archive, bench.images["path"].unique().tolist())
        for what, data in (
            ("its Parquet copy", copy),
            (f"{source.stat().st_size / 1e9:.1f} GB of JSON", source),
        ):
            runs = [browsing.first_list("--data", data, "--picture-folder", archive) for _ in range(RUNS)]
            page, listed = (statistics.median(times) for times in zip(*runs, strict=True))
            yield Result(f"mmdu browse, {what}: the page", "", page)
            yield Result(f"mmdu browse, {what}: the first list", "", listed)


def commands() -> Iterator[Result]:
    """Run a cold ``mmdu gap``, and draw all figures twice; against starting Python with pandas."""
    bare = median_seconds(lambda: run_python("import pandas"))
    command = [sys.executable, "-m", "mmdu_analysis.cli"]
    gap = median_seconds(lambda: subprocess.run([*command, "gap"], check=True, capture_output=True))
    yield Result("mmdu gap, cold", "python -c 'import pandas'", gap, bare)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("mmdu figures, all", "mmdu figures, again"):
            start = time.perf_counter()
            subprocess.run([*command, "figures", "--out", folder], check=True, capture_output=True)
            yield Result(name, "", time.perf_counter() - start)


BENCHMARKS: dict[str, Callable[[], Iterator[Result]]] = {
    "import": import_time,
    "tokens": token_counts,
    "scores": score_summaries,
    "browser": dialogue_browser,
    "browse": browse_command,
    "commands": commands,
    "limits": scale.limits,
    "pass": scale.streamed_pass,
    "memory": scale.memory_growth,
    "load": scale.loading,
    "write": scale.writing,
    "convert": scale.conversions,
    "cluster": scale.cluster,
    "judging": judging.against_the_limit,
}


def main(names: list[str]) -> None:
    """Run benchmarks by name, by default all, and write the results down."""
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"no benchmark {sorted(unknown)}; expected {', '.join(BENCHMARKS)}")
    results = []
    for name in names or BENCHMARKS:
        for result in BENCHMARKS[name]():
            print(result, flush=True)
            results.append(result)
    write_results(results, whole=not names)


if __name__ == "__main__":
    main(sys.argv[1:])
