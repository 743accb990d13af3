"""What the judge is told: the package's own prompt, or one from a file."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path

from mmdu_analysis.io import files
from mmdu_analysis.schema import DataError, short_path

OWN_PROMPT = "mmdu-analysis-judge-1"
"""Name and version of the package's own prompt; a change of its text is a new version."""
NO_REFERENCE = "(There is no reference answer.)"
_FIELDS = re.compile(r"\{(question|reference|answer)\}")
# How the authors' script puts a turn behind its prompt (MMDU's repository, the scoring script).
_AUTHORS_TURN = (
    "[Question]\n{question}\n\n[The Start of Reference Answer]\n{reference}\n[The End of Reference Answer]\n\n"
    "[The Start of Assistant’s Answer]\n{answer}\n[The End of Assistant’s Answer]"
)
_AUTHORS_SYSTEM = "You are a helpful assistant."


@dataclass(frozen=True)
class JudgePrompt:
    """A prompt for the judge.

    Attributes
    ----------
    name : str
        The package's own, with its version, or the file's.
    template : str
        With ``{question}``, ``{reference}`` and ``{answer}``.
    system : str or None
        The system message.
    """

    name: str
    template: str
    system: str | None = None

    @property
    def sha256(self) -> str:
        """Fingerprint of all that the judge is told beside the turn."""
        return hashlib.sha256(f"{self.system}\n{self.template}".encode()).hexdigest()

    @property
    def own(self) -> bool:
        """Whether it is the package's own."""
        return self.name == OWN_PROMPT

    def fill(self, question: str, reference: str | None, answer: str) -> str:
        """Put a turn into the prompt; braces in the texts stay as they are.

        Parameters
        ----------
        question, reference, answer : str
            The turn's texts; without a reference the judge is told that there is none.

        Returns
        -------
        str
            What the judge reads.
        """
        texts = {"question": question, "reference": reference or NO_REFERENCE, "answer": answer}
        return _FIELDS.sub(lambda match: texts[match[1]], self.template)


def load_prompt(path: str | Path | None = None) -> JudgePrompt:
    """Load a judge's prompt.

    Parameters
    ----------
    path : str or path, optional
        A text file. With ``{question}``, ``{reference}`` and ``{answer}`` in it they are filled in; without any, the
        turn is put behind the text and a system message before it, as the authors' script does with its
        own prompt. By default the package's own.

    Returns
    -------
    JudgePrompt
        The prompt.

    Raises
    ------
    DataError
        If the file can't be read, or names some of the three fields but not the answer.
    """
    if path is None:
        text = (
            package_files("mmdu_analysis.judging").joinpath("prompts/judge.txt").read_text(encoding="utf-8")
        )
        return JudgePrompt(OWN_PROMPT, text)
    file = Path(path).expanduser()
    try:
        text = files.read_bytes(file).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{short_path(file)}: not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from None
    fields = set(_FIELDS.findall(text))
    if not fields:
        return JudgePrompt(file.name, text + _AUTHORS_TURN, _AUTHORS_SYSTEM)
    if "answer" not in fields:
        raise DataError(
            f"{short_path(file)}: got fields {sorted(fields)}, expected {{question}}, {{reference}} and {{answer}}, "
            "or none of them"
        )
    return JudgePrompt(file.name, text)
