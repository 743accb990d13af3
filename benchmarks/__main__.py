"""Import time, token counts and score summaries, each against a plain way and with its correctness check."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

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


def import_time() -> None:
    """``import mmdu_analysis`` against ``import pandas``, cold processes in turn."""
    bare = median_seconds(lambda: run_python("pass"))
    ours = median_seconds(lambda: run_python("import mmdu_analysis")) - bare
    pandas = median_seconds(lambda: run_python("import pandas")) - bare
    print(f"import: {ours * 1000:.0f} ms, pandas {pandas * 1000:.0f} ms, ratio {ours / pandas:.2f}")


def token_counts() -> None:
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
    print(
        f"token counts: {ours * 1000:.0f} ms, tiktoken's loop {loop * 1000:.0f} ms, {loop / ours:.1f} times as fast"
    )


def score_summaries() -> None:
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
    print(
        f"score summaries: {len(scores):,} scores with 5,000 resamples {ours * 1000:.0f} ms; a row loop with one "
        f"resample {loop * 1000:.0f} ms, {loop / ours:.1f} times as long"
    )


if __name__ == "__main__":
    import_time()
    token_counts()
    score_summaries()
