"""Ask a judge to score a model's answers, one request per turn."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from mmdu_analysis.io.judge_reply import JudgeReply, parse_judge_reply
from mmdu_analysis.io.scores import load_scores
from mmdu_analysis.judging import messages as chat
from mmdu_analysis.judging.endpoint import Endpoint, Server
from mmdu_analysis.judging.estimate import estimate_scores
from mmdu_analysis.judging.fingerprint import digest_texts, fingerprint, fingerprint_pictures
from mmdu_analysis.judging.folder import Entry, Key, RunFolder
from mmdu_analysis.judging.judged import JudgedAnswers, list_judged_turns, take_answers
from mmdu_analysis.judging.messages import (
    IMAGE_SIDE,
    MISSING_PICTURES,
    Dialogue,
    Gallery,
    check_pictures,
    list_dialogues,
    sent_images,
)
from mmdu_analysis.judging.prompts import EXPLANATION, JudgePrompt, load_prompt, response_format
from mmdu_analysis.judging.record import (
    Request,
    Run,
    check_choice,
    choose_parameters,
    run_job,
    take_benchmark,
    warn_about,
)
from mmdu_analysis.judging.reply import Completion, TurnError, Usage
from mmdu_analysis.judging.run import Prices, Track, is_done
from mmdu_analysis.schema import (
    MMDU,
    DataError,
    Rubric,
    fold_name,
    shorten,
)

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

IMAGES = ("all", "none")
_FIELDS = (
    "turn", "repeat", "judge", "reason", "thinking", "finish_reason", "attempts", "usage", "usage_before",
    "judged_sha256", "synthetic", "problem", "n_lost_images", "model", "dialog_id", EXPLANATION,
)  # fmt: skip
"""Keys of an entry of a score file other than the dimensions."""


def judge(
    benchmark: Benchmark | str | Path | None,
    answers: pd.DataFrame | str | Path,
    out: str | Path,
    model: str,
    *,
    base_url: str | None = None,
    prompt: str | Path | None = None,
    repeat: int = 1,
    attempts: int = 3,
    structured: bool = False,
    images: Literal["all", "none"] = "all",
    missing_pictures: Literal["stop", "tell"] = "stop",
    image_side: int = IMAGE_SIDE,
    parameters: Mapping[str, Any] | None = None,
    concurrency: int = 4,
    timeout: float = 600.0,
    retries: int = 8,
    limit: int | None = None,
    prompt_price: float | None = None,
    completion_price: float | None = None,
    dry_run: bool = False,
    progress: bool | None = None,
    return_run: bool = False,
    rubric: Rubric = MMDU,
) -> pd.DataFrame | Run:
    """Ask a judge to score a model's answers on the dimensions of a rubric.

    An interrupted run is continued by the same call. A turn whose answer has changed since is judged again.

    Parameters
    ----------
    benchmark : Benchmark, str or path
        The benchmark of the answers, as `load_benchmark` takes it.
    answers : pandas.DataFrame, str or path
        One model's answers, from `load_answers`, or a path. Thinking parts are not sent to the judge.
    out : str or path
        Folder for the scores, such as ``scores/NAME``: one ``{id}.json`` per dialogue in the authors' form, a
        list with a dict for each judged turn, which also has its ``turn``, the judge's whole reply as
        ``reason``, and the ``judge``; and ``run.json``. Links and special files in it are refused.
    model : str
        The judge's name at the server.
    base_url : str, optional
        As in `answer`.
    prompt : str or path, optional
        A file with another prompt, such as the authors' own; see `load_prompt`. By default the package's own,
        whose version is in ``run.json``, or one that is generated from `rubric`. Scores are comparable with
        the paper's only with its prompt and its judge (GPT-4o).
    repeat : int, default 1
        Number of judgements per turn. `summarize_scores` and `judge_variance` report the variance between
        repeated judgements. A later run may raise it.
    attempts : int, default 3
        How often a judgement that can't be read is asked for; then it is reported, never guessed. If a reply
        has some of the dimensions, these are kept. Ten unreadable replies in a row end the run.
    structured : bool, default False
        Ask the server for JSON with exactly the dimensions of the rubric (``response_format``). A server that
        doesn't support it is asked for text; ``run.json`` says so.
    images : {"all", "none"}, default "all"
        Send the dialogue's pictures with each turn, as the authors' script does, or texts alone, as
        VLMEvalKit does.
    missing_pictures, image_side, parameters, concurrency, timeout, retries, limit, prompt_price,
    completion_price
        As in `answer`.
    dry_run : bool, default False
        Ask nothing; estimate.
    progress : bool, optional
        Show a bar with turns, tokens, cost and time left; by default on a terminal and in a notebook.
    return_run : bool, default False
        Return a `Run`: the frame, the missing and the degraded turns as frames, and what ``run.json`` says.
    rubric : Rubric, default MMDU
        The dimensions and their scale.

    Returns
    -------
    pandas.DataFrame or Run
        As `load_scores` returns `out`, with a column ``reason``, ``repeat`` if turns are judged several
        times, and ``n_lost_images``: pictures that the judged model was not sent. With `dry_run`: one row,
        the estimate of `estimate_scores`.

    Raises
    ------
    DataError
        As in `answer`; if there are answers of several models, or none to the benchmark's turns; if the
        judge's replies can't be read.

    Warns
    -----
    ProblemWarning
        If turns are missing or degraded, unless `return_run` is set.

    See Also
    --------
    answer : Ask a model for the answers.

    Notes
    -----
    Figure 3 and section 2.3 of the paper, and MMDU's public scoring script. Turns without a reference are
    judged without one, and counted in ``run.json``.
    """
    check_choice("images", images, IMAGES)
    check_choice("missing_pictures", missing_pictures, MISSING_PICTURES)
    if repeat < 1 or attempts < 1:
        raise DataError(f"repeat and attempts: got {repeat} and {attempts}, expected 1 or more of each")
    _check_rubric(rubric)
    bench = take_benchmark(benchmark)
    dialogues = list_dialogues(bench, limit)
    judged = take_answers(answers)
    keys, unanswered = list_judged_turns(dialogues, judged, repeat, Path(out))
    ids = {dialog_id for dialog_id, _ in keys}
    shown = [dialogue for dialogue in dialogues if dialogue.dialog_id in ids and images == "all"]
    lost = check_pictures(bench, shown, missing_pictures)
    chosen, asked = choose_parameters(parameters), load_prompt(prompt, rubric)
    sent_parameters = chosen | ({"response_format": response_format(rubric)} if structured else {})
    fixed = {
        "command": "judge",
        "model": model,
        "answers_of": judged.model,
        "benchmark": fingerprint(bench),
        "rubric": _describe(rubric),
        "prompt": asked.name,
        "prompt_sha256": asked.sha256,
        "structured": structured,
        "images": images,
        "missing_pictures": missing_pictures,
        "image_side": image_side,
        "parameters": chosen,
    }
    details = {
        "data": bench.name,
        "repeat": repeat,
        "attempts": attempts,
        "pictures_missing": lost,
        "turns_without_answer": len(unanswered),
        "turns_without_reference": sum(text is None for d in dialogues for text in d.references),
        "comparable": _comparable(asked),
    }
    request = Request(
        Path(out).expanduser(),
        Server(model, base_url, sent_parameters, timeout, retries, concurrency),
        Prices(prompt_price, completion_price),
        fixed,
        details,
        progress,
    )
    job = _Judging(bench, dialogues, judged, asked, keys, request, rubric)
    if dry_run:
        sent = sent_images(bench, dialogues)
        return estimate_scores(bench, sent, judged.texts, asked, job.folder, keys, request)
    load = partial(load_scores, benchmark=bench, rubric=rubric, return_problems=True)
    run = run_job(request, job, job.folder, keys, "scores", load, unanswered)
    if return_run:
        return run
    warn_about(run)
    return run.table


def _check_rubric(rubric: Rubric) -> None:
    """Validate that no dimension of a rubric has the name of another field of the score files."""
    taken = {fold_name(name) for name in _FIELDS}
    if wrong := [name for name in rubric.names if fold_name(name) in taken]:
        raise DataError(
            f"the rubric {rubric.name} has a dimension {wrong[0]!r}, which is a field of the score files; rename it"
        )


def _describe(rubric: Rubric) -> dict[str, Any]:
    return {
        "name": rubric.name,
        "dimensions": list(rubric.names),
        "scale": list(rubric.scale),
        "overall": rubric.overall,
    }


def _comparable(prompt: JudgePrompt) -> str:
    """Return a note on the comparability of the scores."""
    if prompt.own:
        return f"judged with {prompt.name}, not the paper's prompt: compare only with scores of the same prompt and judge"
    return f"judged with {prompt.name}: comparable with the paper only if that is its prompt and the judge is GPT-4o"


class _Judging:
    """The requests of `judge`."""

    def __init__(
        self,
        bench: Benchmark,
        dialogues: list[Dialogue],
        judged: JudgedAnswers,
        prompt: JudgePrompt,
        keys: list[tuple[str, Key]],
        request: Request,
        rubric: Rubric,
    ) -> None:
        self._by_id = {dialogue.dialog_id: dialogue for dialogue in dialogues}
        self._judged, self._prompt, self._keys = judged, prompt, keys
        self._request, self._rubric = request, rubric
        self._synthetic = {"synthetic": True} if request.fixed["benchmark"]["synthetic"] else {}
        pictures = fingerprint_pictures(bench, dialogues) if request.fixed["images"] == "all" else {}
        self.folder = RunFolder(
            request.out, request.fixed, lambda _, entries: entries, list, self._check, pictures
        )
        tell = request.fixed["missing_pictures"] == "tell"
        self._gallery = Gallery(bench, request.fixed["image_side"], tell=tell)

    def tracks(self) -> list[Track]:
        """List the judgements as separate tracks, since they are independent."""
        left = [
            (dialog, key) for dialog, key in self._keys if not is_done(self.folder.entries[dialog].get(key))
        ]
        return [Track(dialog, [key]) for dialog, key in left]

    def ends_track(self, _error: TurnError) -> str:
        """Return an empty reason, since judgements are independent."""
        return ""

    def ask(self, endpoint: Endpoint, dialog_id: str, key: Key) -> Entry:
        """Ask for one judgement, repeatedly if it can't be read."""
        text = self._filled(dialog_id, key[0])
        messages = self._messages(dialog_id, text)
        usage, attempts = Usage(), 0
        while True:
            try:
                reply = endpoint.ask(messages)
            except TurnError as error:
                error.usage = error.usage.plus(usage)
                raise
            attempts, usage = attempts + 1, usage.plus(reply.usage)
            read = self._read(reply)
            if read.scores:
                endpoint.streak.clear()
            else:
                endpoint.streak.add()
            if not read.problem or attempts == self._request.details["attempts"] or endpoint.streak.is_over:
                break
        entry: Entry = {"turn": key[0]}
        if self._request.details["repeat"] > 1:
            entry["repeat"] = key[1]
        entry |= _whole_numbers(read.scores)
        entry |= {"judge": self._request.server.model, "reason": reply.text}
        entry |= {"thinking": reply.thinking} if reply.thinking else {}
        entry |= {"finish_reason": reply.finish_reason, "attempts": attempts, "usage": list(usage)}
        if lost := self._judged.lost_images.get((dialog_id, key[0])):
            entry["n_lost_images"] = lost
        entry |= {"judged_sha256": _digest(text), **self._synthetic}
        return entry | ({"problem": read.problem} if read.problem else {})

    def _read(self, reply: Completion) -> JudgeReply:
        """Read the scores of a reply; if there are none, the problem contains the beginning of the reply."""
        if not reply.complete:
            return JudgeReply(
                {}, f"the reply ends inside its thinking (finish_reason {reply.finish_reason!r})"
            )
        read = self._parse(reply.text, reply.finish_reason)
        if read.scores or not read.problem:
            return read
        return JudgeReply({}, f"{shorten(read.problem, 200)}; the reply begins: {shorten(reply.text, 80)!r}")

    def _parse(self, text: str, finish_reason: str | None) -> JudgeReply:
        return parse_judge_reply(text, rubric=self._rubric, finish_reason=finish_reason)

    def _filled(self, dialog_id: str, turn: int) -> str:
        dialogue = self._by_id[dialog_id]
        return self._prompt.fill(
            dialogue.questions[turn - 1], dialogue.references[turn - 1], self._judged.texts[dialog_id, turn]
        )

    def _messages(self, dialog_id: str, text: str) -> list[msgspec.Raw]:
        images = [image for brought in self._by_id[dialog_id].images for image in brought]
        content: Any = text
        if images and self._request.fixed["images"] == "all":
            parts = self._gallery.load(dialog_id, images)
            content = [{"type": "text", "text": text}, *(parts[image] for image in images)]
        system = [chat.message("system", self._prompt.system)] if self._prompt.system else []
        return [*system, chat.message("user", content)]

    def ended(self, dialog_id: str) -> None:
        """Release the pictures of a dialogue."""
        self._gallery.drop(dialog_id)

    def _check(self, dialog_id: str, entry: Entry) -> Entry | None:
        """Drop a judgement of a changed answer; parse an unreadable reply again, since the parser may have changed."""
        key, reason = (dialog_id, entry["turn"]), entry.get("reason")
        if not isinstance(reason, str):  # there was no reply, or the file was modified
            return entry if isinstance(entry.get("problem"), str) else None
        if key in self._judged.texts and entry.get("judged_sha256") != _digest(self._filled(*key)):
            return None
        if "problem" not in entry:
            return entry
        read = self._parse(reason, entry.get("finish_reason"))
        if read.problem:
            return entry
        return {name: value for name, value in entry.items() if name != "problem"} | _whole_numbers(
            read.scores
        )


def _whole_numbers(scores: Mapping[str, float]) -> dict[str, float]:
    return {name: int(score) if float(score).is_integer() else score for name, score in scores.items()}


def _digest(text: str) -> str:
    return digest_texts([text])[:16]
