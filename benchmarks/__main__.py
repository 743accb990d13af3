"""Import time against pandas, and token counts against tiktoken's loop, each with its correctness check."""

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


if __name__ == "__main__":
    import_time()
    token_counts()
