"""Ask a model every question of a benchmark, with its own earlier answers as context."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from mmdu_analysis.io.answers import load_answers
from mmdu_analysis.judging import messages as chat
from mmdu_analysis.judging.endpoint import Endpoint, Server
from mmdu_analysis.judging.estimate import estimate_answers
from mmdu_analysis.judging.fingerprint import fingerprint, fingerprint_pictures
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
from mmdu_analysis.judging.record import (
    Request,
    Run,
    check_choice,
    choose_parameters,
    count_lost_images,
    run_job,
    take_benchmark,
    warn_about,
)
from mmdu_analysis.judging.reply import Completion, TooLongError, TurnError
from mmdu_analysis.judging.run import Prices, Track, is_done
from mmdu_analysis.schema import DataError, short_path

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

HISTORIES = ("own", "reference", "none")
OVERFLOWS = ("drop-oldest-images", "stop")


def answer(
    benchmark: Benchmark | str | Path | None,
    out: str | Path,
    model: str,
    *,
    base_url: str | None = None,
    history: Literal["own", "reference", "none"] = "own",
    overflow: Literal["drop-oldest-images", "stop"] = "drop-oldest-images",
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
) -> pd.DataFrame | Run:
    """Ask a model every question of a benchmark, dialogue by dialogue and turn by turn.

    An interrupted run is continued by the same call: completed turns are not asked again. It does not
    continue on changed texts or pictures.

    Parameters
    ----------
    benchmark : Benchmark, str or path
        As `load_benchmark` takes it.
    out : str or path
        Folder for the answers, such as ``answers/NAME``: one ``{id}.json`` per dialogue in the authors' form,
        each answer with its turn, and ``run.json``. Links and special files in it are refused.
    model : str
        The model's name at the server.
    base_url : str, optional
        A server that speaks the OpenAI chat protocol, such as ``http://localhost:8000/v1``. By default
        ``OPENAI_BASE_URL``, else OpenAI. The key is read from ``OPENAI_API_KEY``. Redirects are not followed;
        a server on this machine is never asked through a proxy.
    history : {"own", "reference", "none"}, default "own"
        Context of a question: the model's own earlier answers, as in the paper; the reference
        answers; or nothing but the pictures shown so far.
    overflow : {"drop-oldest-images", "stop"}, default "drop-oldest-images"
        When the server says that a request is too long (or has too many images): leave out the oldest
        pictures of earlier turns, one by one, for the rest of the dialogue, and replace each with a sentence;
        or end the dialogue.
    missing_pictures : {"stop", "tell"}, default "stop"
        Refuse to start when pictures are missing, or tell the model which aren't available.
    image_side : int, default 1536
        Longest side in pixels to which pictures are scaled down; smaller files are sent as they are.
    parameters : mapping, optional
        Other parameters of the request, such as ``{"max_tokens": 1024}``; ``temperature`` is 0 unless given,
        None leaves a parameter out. ``max_tokens`` is sent as ``max_completion_tokens``, and ``temperature``
        is left out, if the server asks for it; ``run.json`` says so.
    concurrency : int, default 4
        Requests at the server at once, at most; a server that batches takes more.
    timeout : float, default 600
        Seconds that one reply may take, from the request to its last byte.
    retries : int, default 8
        How often a request is sent again after 408, 409, 429, 5xx or a lost connection, with growing waits or
        as ``Retry-After`` says.
    limit : int, optional
        Only the first `limit` dialogues; a later run without it continues.
    prompt_price, completion_price : float, optional
        US dollars for a million tokens.
    dry_run : bool, default False
        Ask nothing; estimate.
    progress : bool, optional
        Show a bar with turns, tokens, cost and time left; by default on a terminal and in a notebook.
    return_run : bool, default False
        Return a `Run`: the frame, the missing and the degraded turns as frames, and what ``run.json`` says.

    Returns
    -------
    pandas.DataFrame or Run
        As `load_answers` returns `out`, with ``n_lost_images``: pictures of the conversation that were not
        sent. A summary without such turns takes the rows where it is 0. With `dry_run`: one row, the estimate
        of `estimate_answers`.

    Raises
    ------
    DataError
        If an argument is wrong, pictures are missing, `out` belongs to another run, no server answers, the
        key is refused, the model is unknown, or ten turns in a row fail.

    Warns
    -----
    ProblemWarning
        If turns are missing or degraded, unless `return_run` is set.

    See Also
    --------
    judge : Ask a judge for scores of the answers.

    Notes
    -----
    Section 2.3 of the paper, and the public generation scripts of MMDU: the questions of a dialogue are asked
    in turn, each after the model's own answers. The thinking of a model that thinks is kept beside its answer
    (``thinking`` in ``{id}.json``); it is not sent back and not part of the answer. An answer that was cut
    inside its thinking, or is empty, is missing.
    """
    check_choice("history", history, HISTORIES)
    check_choice("overflow", overflow, OVERFLOWS)
    check_choice("missing_pictures", missing_pictures, MISSING_PICTURES)
    bench = take_benchmark(benchmark)
    dialogues = list_dialogues(bench, limit)
    lost = check_pictures(bench, dialogues, missing_pictures)
    _check_references(dialogues, history)
    chosen = choose_parameters(parameters)
    fixed = {
        "command": "answer",
        "model": model,
        "benchmark": fingerprint(bench),
        "history": history,
        "overflow": overflow,
        "missing_pictures": missing_pictures,
        "image_side": image_side,
        "parameters": chosen,
    }
    request = Request(
        Path(out).expanduser(),
        Server(model, base_url, chosen, timeout, retries, concurrency),
        Prices(prompt_price, completion_price),
        fixed,
        {"data": bench.name, "pictures_missing": lost},
        progress,
    )
    job = _Answering(bench, dialogues, request)
    if dry_run:
        sent = sent_images(bench, dialogues)
        return estimate_answers(bench, sent, job.folder, job.keys, request)
    load = partial(load_answers, return_problems=True)
    run = run_job(request, job, job.folder, job.keys, "answers", load)
    if return_run:
        return run
    warn_about(run)
    return run.table


def _check_references(dialogues: list[Dialogue], history: str) -> None:
    lost = sum(text is None for dialogue in dialogues for text in dialogue.references[:-1])
    if history == "reference" and lost:
        raise DataError(f"history 'reference' needs all references, {lost:,} are empty; use 'own' or 'none'")


def answer_entry(reply: Completion, turn: int, left_out: list[int]) -> Entry:
    """Return the entry that is stored for an answer.

    Raises
    ------
    TurnError
        If the reply has no answer: it was truncated inside its thinking part, or is empty. The exception has
        the token usage.
    """
    if not reply.text.strip():
        ending = f"finish_reason {reply.finish_reason!r}"
        if not reply.complete:
            text = f"the reply ends inside its thinking, before any answer ({ending}); a larger token limit may help"
        else:
            text = f"the reply is empty ({ending})"
        raise TurnError(text, reply.usage, reply.thinking)
    entry: Entry = {"turn": turn, "answer": reply.text, "finish_reason": reply.finish_reason}
    entry["usage"] = list(reply.usage)
    if reply.thinking:
        entry["thinking"] = reply.thinking
    if left_out:
        entry["left_out_images"] = list(left_out)
    return entry


class _Answering:
    """The requests of `answer`."""

    def __init__(self, bench: Benchmark, dialogues: list[Dialogue], request: Request) -> None:
        self._bench, self._by_id = bench, {dialogue.dialog_id: dialogue for dialogue in dialogues}
        self._history, self._overflow = request.fixed["history"], request.fixed["overflow"]
        pictures = fingerprint_pictures(bench, dialogues)
        self.folder = RunFolder(
            request.out, request.fixed, self._pack, _unpack, self._check, pictures=pictures
        )
        self.keys = [(d.dialog_id, (turn, 1)) for d in dialogues for turn in range(1, len(d.questions) + 1)]
        tell = request.fixed["missing_pictures"] == "tell"
        self._gallery = Gallery(bench, request.fixed["image_side"], tell=tell)

    def tracks(self) -> list[Track]:
        """List the dialogues, the longest first, so that the last ones to finish are short."""
        open_tracks = []
        for dialogue in self._by_id.values():
            entries = self.folder.entries[dialogue.dialog_id]
            turns = range(1, len(dialogue.questions) + 1)
            keys = [(turn, 1) for turn in turns if not is_done(entries.get((turn, 1)))]
            if keys:
                open_tracks.append(Track(dialogue.dialog_id, keys))
        return sorted(open_tracks, key=lambda track: -len(track.keys))

    def ends_track(self, error: TurnError) -> str:
        """Return the reason why later turns can't be asked: the missing answer is their context, or the dialogue is too long."""
        if self._history == "own":
            return "not asked: an earlier turn has no answer"
        if isinstance(error, TooLongError) and self._history != "none":
            return "not asked: the dialogue is longer than the model can read"
        return ""

    def ask(self, endpoint: Endpoint, dialog_id: str, key: Key) -> Entry:
        """Ask one turn; as long as the server reports that the request is too long, leave out pictures."""
        dialogue, turn = self._by_id[dialog_id], key[0]
        left_out = self._left_out_so_far(dialog_id, turn)
        earlier = [image for images in dialogue.images[: turn - 1] for image in images]
        needed = [image for image in [*earlier, *dialogue.images[turn - 1]] if image not in left_out]
        parts = self._gallery.load(dialog_id, needed)
        while True:
            try:
                reply = endpoint.ask(self._messages(dialogue, turn, parts, left_out))
                break
            except TooLongError:
                oldest = next((image for image in earlier if image not in left_out), None)
                if self._overflow == "stop" or oldest is None:
                    raise
                left_out.append(oldest)
        return answer_entry(reply, turn, left_out)

    def _left_out_so_far(self, dialog_id: str, turn: int) -> list[int]:
        if self._history == "none":
            return []
        before = [entry for (at, _), entry in self.folder.entries[dialog_id].items() if at < turn]
        last = max(before, key=lambda entry: entry["turn"], default={})
        return list(last.get("left_out_images", []))

    def _messages(
        self, dialogue: Dialogue, turn: int, parts: Mapping[int, Any], left_out: list[int]
    ) -> list[msgspec.Raw]:
        """Build the conversation up to a turn's question."""

        def picture(image: int) -> Any:
            return chat.left_out(image) if image in left_out else parts[image]

        question, images = dialogue.questions[turn - 1], dialogue.images[turn - 1]
        if self._history == "none":
            earlier = [image for brought in dialogue.images[: turn - 1] for image in brought]
            return [chat.message("user", chat.question_content(question, images, picture, earlier))]
        conversation = []
        for at in range(1, turn):
            asked = chat.question_content(dialogue.questions[at - 1], dialogue.images[at - 1], picture)
            conversation += [
                chat.message("user", asked),
                chat.message("assistant", self._reply_of(dialogue, at)),
            ]
        return [*conversation, chat.message("user", chat.question_content(question, images, picture))]

    def _reply_of(self, dialogue: Dialogue, turn: int) -> str:
        if self._history == "reference":
            return dialogue.references[turn - 1] or ""
        return self.folder.entries[dialogue.dialog_id][turn, 1]["answer"]

    def ended(self, dialog_id: str) -> None:
        """Release the pictures of a dialogue."""
        self._gallery.drop(dialog_id)

    def _check(self, dialog_id: str, entry: Entry) -> Entry:
        """Return an entry of a file if it can be sent and shown.

        Raises
        ------
        DataError
            If it can't, since the file was modified.
        """
        left_out, whole = entry.get("left_out_images", []), is_done(entry)
        texts = [entry.get("answer") if whole else entry["problem"], entry.get("thinking", "")]
        numbers = isinstance(left_out, list) and all(type(image) is int for image in left_out)
        if (
            not all(isinstance(text, str) for text in texts)
            or not numbers
            or entry["turn"] > len(self._by_id[dialog_id].questions)
        ):
            file = short_path(self.folder.path / f"{dialog_id}.json")
            raise DataError(f"{file}: turn {entry['turn']} was not written by a run; remove the file")
        return entry

    def _pack(self, dialog_id: str, entries: list[Entry]) -> dict[str, Any] | None:
        """Return a dialogue in the authors' form: each answer with its turn, and failed turns separately."""
        dialogue, forms = self._by_id[dialog_id], self._bench.forms
        form = forms.loc[dialog_id] if forms is not None else {}
        user, assistant = form.get("user", "user"), form.get("assistant", "assistant")
        talk: list[dict[str, Any]] = []
        done = [entry for entry in entries if is_done(entry)]
        if not done:
            return None
        for entry in done:
            details = {name: value for name, value in entry.items() if name != "answer"}
            talk.append({"from": user, "value": dialogue.questions[entry["turn"] - 1]})
            talk.append({"from": assistant, "value": entry["answer"], **details})
        record: dict[str, Any] = {"id": int(dialog_id) if form.get("number_id") else dialog_id}
        record |= {"image": dialogue.paths, "conversations": talk}
        if any(map(count_lost_images, done)):
            record["lost_images"] = [count_lost_images(entry) for entry in done]
        if failed := [entry for entry in entries if not is_done(entry)]:
            record["failed"] = failed
        return record | ({"synthetic": True} if self._bench.synthetic else {})


def _unpack(value: Any) -> list[Entry]:
    """Return the entries of a dialogue's file: the reverse of `_Answering._pack`."""
    messages = [message for message in value["conversations"] if "turn" in message]
    entries: list[Entry] = [
        {"answer": message["value"], **{k: v for k, v in message.items() if k not in ("from", "value")}}
        for message in messages
    ]
    return [*entries, *value.get("failed", [])]
