"""Find the files of models in a folder: one sub-folder per model, batches, outputs of VLMEvalKit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mmdu_analysis.io import files
from mmdu_analysis.schema import DataError, short_path

_BATCH = re.compile(r"\d+\s*-\s*\d+")  # the authors' scripts write into folders such as "0-10"
_VLMEVALKIT = re.compile(r"(?P<model>.+)_MMDU(?:_(?P<judge>.+?))?(?P<score>_score)?", re.IGNORECASE)
RUN_FILE = "run.json"


@dataclass(frozen=True)
class ModelFile:
    """A file of a model.

    Attributes
    ----------
    model : str
        From its folder or its name.
    path : pathlib.Path
        The file.
    """

    model: str
    path: Path


@dataclass(frozen=True)
class OutputName:
    """The parts of the name of a file of VLMEvalKit, such as ``MODEL_MMDU_JUDGE_score.csv``.

    Attributes
    ----------
    model : str
        The model.
    judge : str or None
        The judge; None for predictions.
    is_score : bool
        Whether it is a table of scores.
    """

    model: str
    judge: str | None
    is_score: bool


def output_name(path: Path) -> OutputName | None:
    """Return the parts of the name of a file of VLMEvalKit, or None if it isn't one."""
    match = _VLMEVALKIT.fullmatch(files.stem(path))
    return OutputName(match["model"], match["judge"], bool(match["score"])) if match else None


def model_name(path: Path) -> str:
    """Return the model that the name of a single file states."""
    output = output_name(path)
    return output.model if output else files.stem(path)


def model_files(path: Path, model: str | None, wanted: Callable[[Path], bool], part: str) -> list[ModelFile]:
    """List the files of a path with the model that each belongs to.

    Parameters
    ----------
    path : pathlib.Path
        A file or a folder. A sub-folder with ``run.json`` names the model, else the first sub-folder that
        isn't a batch such as ``0-10``; without sub-folders the folder itself does.
    model : str or None
        Name that replaces the names of the folders.
    wanted : callable
        Whether a file that isn't JSON belongs to this part, by its path.
    part : str
        ``answers`` or ``scores``; a folder that contains a folder of this name is one level too high.

    Returns
    -------
    list of ModelFile
        In natural order; hidden files and ``run.json`` are left out.

    Raises
    ------
    DataError
        If there is no usable file, or folders are nested such that the model is unknown.
    """
    if not path.is_dir():
        if not path.exists():
            raise DataError(f"{short_path(path)}: no such file or folder; check the path")
        return [ModelFile(model or model_name(path), path)]
    below = path / part
    if below.is_dir() and any(_listed(below, wanted)):
        raise DataError(
            f"{short_path(path)}: got a folder that holds {part!r}; name {short_path(below)} instead"
        )
    model_paths = [ModelFile(model or _model(path, file), file) for file in sorted_files(path, wanted)]
    if not model_paths:
        raise DataError(f"{short_path(path)}: a folder without any JSON file; expected one JSON per dialogue")
    _check_depth(path, [file.path for file in model_paths])
    return model_paths


def sorted_files(path: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """Return the files below a folder that a loader reads, in natural order."""
    return sorted(_listed(path, wanted), key=lambda file: files.natural_key(str(file.relative_to(path))))


def _listed(path: Path, wanted: Callable[[Path], bool]) -> Iterator[Path]:
    for file in path.rglob("*"):
        if files.is_hidden(file.relative_to(path)) or file.name == RUN_FILE or not file.is_file():
            continue
        if wanted(file):
            yield file


def run_folder(path: Path, file: Path) -> Path | None:
    """Return the folder below `path` that a run of this package wrote the file to, or None."""
    inside = file.parents[: len(file.relative_to(path).parts) - 1]
    return next((folder for folder in inside if (folder / RUN_FILE).is_file()), None)


def _levels(path: Path, file: Path) -> list[str]:
    if folder := run_folder(path, file):
        return [folder.name]
    return [part for part in file.relative_to(path).parts[:-1] if not _BATCH.fullmatch(part)]


def _model(path: Path, file: Path) -> str:
    if (output := output_name(file)) and not files.has_suffix(file, files.JSON_SUFFIXES):
        return output.model
    levels = _levels(path, file)
    return levels[0] if levels else path.resolve().name


def _check_depth(path: Path, found: list[Path]) -> None:
    """Refuse folders of folders of models: the first level would be read as the model."""
    deeper: dict[str, set[str]] = {}
    for file in found:
        levels = _levels(path, file)
        if len(levels) > 1 and output_name(file) is None:
            deeper.setdefault(levels[0], set()).add(levels[1])
    for first, second in deeper.items():
        if len(second) > 1:
            names = ", ".join(sorted(second)[:3])
            raise DataError(
                f"{short_path(path)}: {first!r} holds several folders ({names}), so the model is unknown; name "
                f"{short_path(path / first)} instead"
            )
