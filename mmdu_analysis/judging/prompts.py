"""The prompt for the judge: the package's own, one generated from a rubric, or one from a file."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from mmdu_analysis.io import files
from mmdu_analysis.schema import MMDU, DataError, Rubric, short_path

OWN_PROMPT = "mmdu-analysis-judge-1"
"""Name and version of the package's own prompt for MMDU's rubric; a change of its text is a new version."""
RUBRIC_PROMPT = "mmdu-analysis-rubric-1"
"""Name and version of the prompt that is generated from another rubric."""
NO_REFERENCE = "(There is no reference answer.)"
EXPLANATION = "Explanation"
"""Field for the reasons in a structured reply."""
_FIELDS = re.compile(r"\{(question|reference|answer)\}")
_RUBRIC_FIELDS = re.compile(r"\{(low|high|dimensions|form)\}")
# The form in which the authors' scoring script appends a turn to its prompt (MMDU's repository).
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
        The package's own, with its version, or the name of the file.
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
        """Fingerprint of all texts of a request except the turn."""
        return hashlib.sha256(f"{self.system}\n{self.template}".encode()).hexdigest()

    @property
    def own(self) -> bool:
        """Whether it is one of the package's prompts."""
        return self.name in (OWN_PROMPT, RUBRIC_PROMPT)

    def fill(self, question: str, reference: str | None, answer: str) -> str:
        """Fill a turn into the prompt; braces in the texts are not changed.

        Parameters
        ----------
        question, reference, answer : str
            The texts of the turn; without a reference the prompt says that there is none.

        Returns
        -------
        str
            The complete prompt.
        """
        texts = {"question": question, "reference": reference or NO_REFERENCE, "answer": answer}
        return _FIELDS.sub(lambda match: texts[match[1]], self.template)


def load_prompt(path: str | Path | None = None, rubric: Rubric = MMDU) -> JudgePrompt:
    """Load a prompt for the judge.

    Parameters
    ----------
    path : str or path, optional
        A text file. ``{question}``, ``{reference}`` and ``{answer}`` in it are filled in; if it has none of
        them, the turn is added after the text and a system message before it, as the authors' script does
        with its own prompt. By default the package's own.
    rubric : Rubric, default MMDU
        Dimensions and scale of the package's own prompt.

    Returns
    -------
    JudgePrompt
        The prompt.

    Raises
    ------
    DataError
        If the file can't be read, or has some of the three fields but not the answer.
    """
    if path is None:
        return JudgePrompt(OWN_PROMPT, _read("judge.txt")) if rubric == MMDU else _from_rubric(rubric)
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


def _read(name: str) -> str:
    return package_files("mmdu_analysis.judging").joinpath(f"prompts/{name}").read_text(encoding="utf-8")


def _from_rubric(rubric: Rubric) -> JudgePrompt:
    """Return the prompt that asks for the dimensions of a rubric on its scale."""
    low, high = (f"{number:g}" for number in rubric.scale)
    lines = [f"- {name}" for name in rubric.names if name != rubric.overall]
    if rubric.overall:
        lines.append(
            f"- {rubric.overall}: the answer as a whole. It is your own judgement, not a mean of the others."
        )
    form = ", ".join(f"{json.dumps(name, ensure_ascii=False)}: n" for name in rubric.names)
    fields = {"low": low, "high": high, "dimensions": "\n".join(lines), "form": f"{{{form}}}"}
    return JudgePrompt(RUBRIC_PROMPT, _RUBRIC_FIELDS.sub(lambda match: fields[match[1]], _read("rubric.txt")))


def response_format(rubric: Rubric) -> dict[str, Any]:
    """Return the parameter that asks a server for a structured reply with the scores of a rubric.

    Parameters
    ----------
    rubric : Rubric
        Its dimensions and scale.

    Returns
    -------
    dict
        ``response_format`` of the chat protocol: a JSON schema in which all fields are required, the reasons
        first.
    """
    low, high = rubric.scale
    score = {"type": "number", "minimum": low, "maximum": high}
    fields = {EXPLANATION: {"type": "string"}} | dict.fromkeys(rubric.names, score)
    schema = {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "scores", "strict": True, "schema": schema}}
