"""What the Hugging Face hub's cache on this machine already holds."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = "laolao77/MMDU"
FILES = {"benchmark": "benchmark.json", "mmdu-45k": "mmdu-45k.json"}


def cached(name: str) -> Path | None:
    """Find a dataset file that was downloaded before, without the web.

    Parameters
    ----------
    name : {"benchmark", "mmdu-45k"}
        Which file of the dataset ``laolao77/MMDU``.

    Returns
    -------
    pathlib.Path or None
        None where it was never downloaded.
    """
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(REPOSITORY, FILES[name], repo_type="dataset")
    return Path(found) if isinstance(found, str) else None
