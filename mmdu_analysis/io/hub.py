"""Fetch MMDU from the Hugging Face hub: into its cache or a folder, checked by size and checksum."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mmdu_analysis.io.archives import unzip
from mmdu_analysis.schema import DataError

REPOSITORY = "laolao77/MMDU"
FILES = {"benchmark": "benchmark.json", "mmdu-45k": "mmdu-45k.json"}
ARCHIVES = {"benchmark": "mmdu_pics.zip", "mmdu-45k": "mmdu-45k_pics.zip"}


class RemoteFile(NamedTuple):
    """A file on the hub: its name, its size in bytes, and its checksum (None if the hub states none)."""

    name: str
    size: int
    sha256: str | None


def cached(name: str) -> Path | None:
    """Find a dataset file that was downloaded before, without network access.

    Parameters
    ----------
    name : {"benchmark", "mmdu-45k"}
        Which file of the dataset ``laolao77/MMDU``.

    Returns
    -------
    pathlib.Path or None
        None if it was never downloaded.
    """
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(REPOSITORY, FILES[name], repo_type="dataset")
    return Path(found) if isinstance(found, str) else None


def remote_files(name: str, *, images: bool = False) -> list[RemoteFile]:
    """List the files of a download as stated by the hub.

    Parameters
    ----------
    name : {"benchmark", "mmdu-45k"}
        Which data set.
    images : bool, default False
        Include the archive of the pictures.

    Returns
    -------
    list of RemoteFile
        With sizes and checksums.

    Raises
    ------
    DataError
        If the name is unknown, or the hub can't be reached or doesn't give the files.
    """
    from huggingface_hub import HfApi, RepoFile

    if name not in FILES:
        raise DataError(f"no data set {name!r} to download; expected {' or '.join(FILES)}")
    wanted = [FILES[name], *([ARCHIVES[name]] if images else [])]
    with _told(name):
        found = HfApi().get_paths_info(REPOSITORY, wanted, repo_type="dataset")
    files = {
        item.path: RemoteFile(item.path, item.size, item.lfs.sha256 if item.lfs else None)
        for item in found
        if isinstance(item, RepoFile)
    }
    missing = [path for path in wanted if path not in files]
    if missing:
        raise DataError(f"{missing[0]}: not in {REPOSITORY} on the hub (any more); pass a path to a copy")
    return [files[path] for path in wanted]


def download(
    name: str,
    *,
    images: bool = False,
    folder: str | Path | None = None,
    announce: Callable[[RemoteFile], None] | None = None,
) -> Path:
    """Download a data set from the Hugging Face hub; files that exist already are not downloaded again.

    Parameters
    ----------
    name : {"benchmark", "mmdu-45k"}
        Which data set of ``laolao77/MMDU`` (CC BY-NC 4.0).
    images : bool, default False
        Also download the archive of the pictures, and unpack it next to the JSON file.
    folder : str or path, optional
        Target folder; by default the hub's cache, in which ``load_benchmark(name)`` finds it.
    announce : callable, optional
        Called with each file and its size before the download starts.

    Returns
    -------
    pathlib.Path
        The JSON file.

    Raises
    ------
    DataError
        If the hub can't be reached or refuses, the disk is full, or a downloaded file has a wrong size or
        checksum.

    Notes
    -----
    ``HF_ENDPOINT``, ``HF_TOKEN`` and ``HF_HUB_CACHE`` are respected, as in huggingface_hub. An interrupted
    download is continued.
    """
    files = remote_files(name, images=images)
    target = Path(folder).expanduser() if folder is not None else None
    if target is not None and target.exists() and not target.is_dir():
        raise DataError(f"{target}: got a file, expected a folder to download into")
    if announce is not None:
        for file in files:
            announce(file)
    paths = [_fetch(file, target) for file in files]
    if images:
        unzip(paths[1], paths[0].parent)
    return paths[0]


def _fetch(file: RemoteFile, folder: Path | None) -> Path:
    """Download one file and check it; a wrong file is removed."""
    from huggingface_hub import hf_hub_download

    with _told(file.name):
        path = Path(hf_hub_download(REPOSITORY, file.name, repo_type="dataset", local_dir=folder))
    wrong = _what_is_wrong(path, file)
    if wrong:
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise DataError(f"{file.name}: {wrong}; it was removed, download it again")
    return path


def _what_is_wrong(path: Path, file: RemoteFile) -> str:
    size = path.stat().st_size
    if size != file.size:
        return f"got {size:,} bytes, expected {file.size:,}"
    if file.sha256 is not None:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest != file.sha256:
            return f"the checksum is {digest[:12]}..., expected {file.sha256[:12]}..."
    return ""


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Convert errors of the hub and the network to messages of one line, without address and token."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError:
        raise DataError(f"{what}: the hub asks for access; accept its terms there and set HF_TOKEN") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        raise DataError(f"{what}: {_ANSWERS.get(status or 0, _other(status))}") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, errors.HTTPError, ConnectionError):
        endpoint = " (HF_ENDPOINT is set)" if os.environ.get("HF_ENDPOINT") else ""
        raise DataError(
            f"{what}: the hub can't be reached or the connection broke{endpoint}; the downloaded part is kept, "
            "try again, or pass a path to a copy"
        ) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                f"{what}: the disk is full; free some, or set HF_HUB_CACHE to another disk"
            ) from None
        reason = error.strerror or type(error).__name__
        raise DataError(f"{what}: can't be written ({reason}); check the folder's permissions") from None


_ANSWERS = {
    401: "the hub answered 401: the token is not valid; set HF_TOKEN to a valid one, or unset it",
    403: "the hub answered 403: access refused; set HF_TOKEN to a token that may read it",
    404: "the hub answered 404: no such file there (any more); pass a path to a copy",
    429: "the hub answered 429: too many requests; wait some minutes, then try again",
}


def _other(status: int | None) -> str:
    return f"the hub answered {status or 'with an error'}; try again later"
