"""Let a judge score a model's answers, one request a turn."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mmdu_analysis.io.answers import load_answers
from mmdu_analysis.io.judge_reply import parse_judge_reply
from mmdu_analysis.io.scores import load_scores
from mmdu_analysis.judging import messages as chat
from mmdu_analysis.judging.endpoint import Endpoint, Server, TurnError
from mmdu_analysis.judging.estimate import estimate_scores
from mmdu_analysis.judging.folder import Entry, Key, RunFolder
from mmdu_analysis.judging.messages import (
    IMAGE_SIDE,
    MISSING_PICTURES,
    Dialogue,
    Gallery,
    check_pictures,
    list_dialogues,
    sent_images,
)
from mmdu_analysis.judging.prompts import JudgePrompt, load_prompt
from mmdu_analysis.judging.record import (
    Request,
    check_choice,
    choose_parameters,
    fingerprint,
    run_job,
    take_benchmark,
)
from mmdu_analysis.judging.run import Prices, Track, is_done
from mmdu_analysis.schema import DataError, Problem, require_columns, short_path

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

IMAGES = ("all", "none")


def judge(
    data: Benchmark | str | Path | None,
    answers: pd.DataFrame | str | Path,
    out: str | Path,
    model: str,
    *,
    base_url: str | None = None,
    prompt: str | Path | None = None,
    repeat: int = 1,
    attempts: int = 3,
    images: str = "all",
    missing_pictures: str = "stop",
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
) -> pd.DataFrame:
    """Let a judge score a model's answers on the six dimensions and as a whole.

    A run that was interrupted, in whatever way, goes on when it is called again. A turn whose answer has changed
    since is judged again.

    Parameters
    ----------
    data : Benchmark, str or path
        What was answered, as `load_benchmark` takes it.
    answers : pandas.DataFrame, str or path
        One model's answers, from `load_answers` or as it takes them.
    out : str or path
        Folder for the scores, such as ``scores/NAME``: one ``{id}.json`` a dialogue in the authors' form, a list with
        a dict for each judged turn, which also has its ``turn``, the judge's whole reply as ``reason``, and the
        ``judge``; and ``run.json``.
    model : str
        The judge's name at the server.
    base_url : str, optional
        As in `answer`.
    prompt : str or path, optional
        A file with another prompt, such as the authors' own; see `load_prompt`. By default the package's own, whose
        version stands in ``run.json``. Scores are comparable with the paper's only with its prompt and its judge
        (GPT-4o).
    repeat : int, default 1
        How often each turn is judged. `summarize_scores` and `judge_variance` tell what the judge's own chance
        adds. A later run may raise it.
    attempts : int, default 3
        How often a judgement is asked for that can't be read; then it is reported, never guessed. Of a reply that
        gives some dimensions these are kept.
    images : {"all", "none"}, default "all"
        Send the dialogue's pictures with each turn, as the authors' script does, or texts alone, as VLMEvalKit does.
    missing_pictures, image_side, parameters, concurrency, timeout, retries, limit, prompt_price, completion_price
        As in `answer`.
    dry_run : bool, default False
        Ask nothing; estimate.
    progress : bool, optional
        Show a bar with turns, tokens, cost and time left; by default on a terminal and in a notebook.

    Returns
    -------
    pandas.DataFrame
        As `load_scores` returns `out`, with a column ``reason``, and ``repeat`` where turns are judged several times.
        Turns without a score stand in ``attrs["missing"]``. With `dry_run`: one row, the estimate
        of `estimate_scores`.

    Raises
    ------
    DataError
        As in `answer`; if there are answers of several models, or none to the benchmark's turns.

    Notes
    -----
    Figure 3 and section 2.3 of the paper, and MMDU's public scoring script. Turns without a reference are judged
    without one, and counted in ``run.json``.
    """
    check_choice("images", images, IMAGES)
    check_choice("missing_pictures", missing_pictures, MISSING_PICTURES)
    if repeat < 1 or attempts < 1:
        raise DataError(f"repeat and attempts: got {repeat} and {attempts}, expected 1 or more of each")
    bench = take_benchmark(data)
    dialogues = list_dialogues(bench, limit)
    lost = check_pictures(bench, dialogues, missing_pictures) if images == "all" else 0
    judged, name = _texts(answers)
    chosen, asked = choose_parameters(parameters), load_prompt(prompt)
    fixed = {
        "command": "judge",
        "model": model,
        "answers_of": name,
        "benchmark": fingerprint(bench),
        "prompt": asked.name,
        "prompt_sha256": asked.sha256,
        "images": images,
        "missing_pictures": missing_pictures,
        "image_side": image_side,
        "parameters": chosen,
    }
    keys, unanswered = _list_turns(dialogues, judged, repeat, Path(out))
    told = {
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
        Server(model, base_url, chosen, timeout, retries, concurrency),
        Prices(prompt_price, completion_price),
        fixed,
        told,
        progress,
    )
    job = _Judging(bench, dialogues, judged, asked, keys, request)
    if dry_run:
        sent = sent_images(bench, dialogues)
        return estimate_scores(bench, sent, judged, asked, job.folder, keys, request)
    load = partial(load_scores, benchmark=bench)
    return run_job(request, job, job.folder, keys, "scores", load, unanswered)


def _comparable(prompt: JudgePrompt) -> str:
    """Say what the scores can be compared with."""
    if prompt.own:
        return f"judged with {prompt.name}, not the paper's prompt: compare only with scores of the same prompt and judge"
    return f"judged with {prompt.name}: comparable with the paper only if that is its prompt and the judge is GPT-4o"


def _texts(answers: pd.DataFrame | str | Path) -> tuple[dict[tuple[str, int], str], str]:
    """Give one model's answers by dialogue and turn, and its name."""
    frame = load_answers(answers) if isinstance(answers, str | Path) else answers
    require_columns(frame, ["model", "dialog_id", "turn", "answer"], "a frame of answers")
    models = list(frame["model"].unique())
    if len(models) != 1:
        raise DataError(f"got answers of {models}, expected those of one model; name its folder")
    rows = frame[["dialog_id", "turn", "answer"]].dropna().itertuples(index=False)
    return {(str(dialog), int(turn)): text for dialog, turn, text in rows}, str(models[0])


def _list_turns(
    dialogues: list[Dialogue], texts: Mapping[tuple[str, int], str], repeat: int, out: Path
) -> tuple[list[tuple[str, Key]], list[Problem]]:
    """List what is to be judged, and the turns that have no answer."""
    keys: list[tuple[str, Key]] = []
    unanswered = []
    for dialogue in dialogues:
        for turn in range(1, len(dialogue.questions) + 1):
            if (dialogue.dialog_id, turn) in texts:
                keys += [(dialogue.dialog_id, (turn, number)) for number in range(1, repeat + 1)]
            else:
                where = f"dialogue {dialogue.dialog_id}, turn {turn}"
                unanswered.append(Problem(short_path(out), where, "there is no answer to judge"))
    if not keys:
        raise DataError("none of the answers belongs to a turn of the benchmark; are they of the same data?")
    return keys, unanswered


class _Judging:
    """The job of `judge`."""

    def __init__(
        self,
        bench: Benchmark,
        dialogues: list[Dialogue],
        texts: dict[tuple[str, int], str],
        prompt: JudgePrompt,
        keys: list[tuple[str, Key]],
        request: Request,
    ) -> None:
        self._by_id = {dialogue.dialog_id: dialogue for dialogue in dialogues}
        self._texts, self._prompt, self._keys, self._request = texts, prompt, keys, request
        self._synthetic = {"synthetic": True} if bench.synthetic else {}
        self.folder = RunFolder(request.out, request.fixed, lambda _, entries: entries, list, self._check)
        tell = request.fixed["missing_pictures"] == "tell"
        self._gallery = Gallery(bench, request.fixed["image_side"], tell=tell)

    def tracks(self) -> list[Track]:
        """List the judgements, each for itself: none depends on another."""
        left = [
            (dialog, key) for dialog, key in self._keys if not is_done(self.folder.entries[dialog].get(key))
        ]
        return [Track(dialog, [key]) for dialog, key in left]

    def ends_track(self, _error: TurnError) -> str:
        """Say that no judgement needs another."""
        return ""

    def ask(self, endpoint: Endpoint, dialog_id: str, key: Key) -> Entry:
        """Ask for one judgement, again as long as it can't be read."""
        text = self._filled(dialog_id, key[0])
        messages = self._messages(dialog_id, text)
        usage, attempts = [0, 0], 0
        while True:
            reply = endpoint.ask(messages)
            attempts += 1
            usage = [usage[0] + reply.prompt_tokens, usage[1] + reply.completion_tokens]
            read = parse_judge_reply(reply.text)
            if not read.problem or attempts == self._request.told["attempts"]:
                break
        entry: Entry = {"turn": key[0]}
        if self._request.told["repeat"] > 1:
            entry["repeat"] = key[1]
        whole = {name: int(score) if score.is_integer() else score for name, score in read.scores.items()}
        entry |= {**whole, "judge": self._request.server.model, "reason": reply.text}
        entry |= {"finish_reason": reply.finish_reason, "attempts": attempts, "usage": usage}
        entry |= {"judged_sha256": _digest(text), **self._synthetic}
        return entry | ({"problem": read.problem} if read.problem else {})

    def _filled(self, dialog_id: str, turn: int) -> str:
        dialogue = self._by_id[dialog_id]
        return self._prompt.fill(
            dialogue.questions[turn - 1], dialogue.references[turn - 1], self._texts[dialog_id, turn]
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
        """Forget a dialogue's pictures."""
        self._gallery.drop(dialog_id)

    def _check(self, dialog_id: str, entry: Entry) -> Entry | None:
        """Drop a judgement of another answer; read a reply again that couldn't be read, as the parser may know more."""
        turn = entry["turn"]
        if (dialog_id, turn) in self._texts and entry.get("judged_sha256") != _digest(
            self._filled(dialog_id, turn)
        ):
            return None
        if "problem" not in entry:
            return entry
        read = parse_judge_reply(entry["reason"])
        if read.problem:
            return entry
        return {name: value for name, value in entry.items() if name != "problem"} | read.scores


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
