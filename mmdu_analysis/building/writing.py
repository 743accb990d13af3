"""Ask a model to write dialogues about combinations of images, step by step and checked."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.building.checks import ReplyError, read_facts, read_pairs
from mmdu_analysis.building.combinations import Combination, load_combinations
from mmdu_analysis.building.items import picture_path
from mmdu_analysis.building.joining import introduce_images
from mmdu_analysis.building.planning import Plan, Step
from mmdu_analysis.building.prompting import Prompts, load_prompts
from mmdu_analysis.building.written import PICTURES, load_dialogs, picture_name
from mmdu_analysis.io.scaled import load_picture
from mmdu_analysis.judging import messages as chat
from mmdu_analysis.judging.endpoint import Endpoint, Server
from mmdu_analysis.judging.fingerprint import digest_texts
from mmdu_analysis.judging.folder import Entry, Key, RunFolder
from mmdu_analysis.judging.messages import IMAGE_SIDE
from mmdu_analysis.judging.record import Request, Run, choose_parameters, run_job, warn_about
from mmdu_analysis.judging.reply import Completion, TurnError
from mmdu_analysis.judging.run import Prices, Track, is_done
from mmdu_analysis.schema import DataError, problems_frame

if TYPE_CHECKING:
    import pandas as pd

MULTI_SHARE = 0.6
"""Of MMDU's questions, 63 % are about several images (Figure 4)."""


def write_dialogs(
    combinations: str | Path | Sequence[Combination],
    out: str | Path,
    model: str,
    *,
    base_url: str | None = None,
    pictures: str | Path | None = None,
    prompts: str | Path | None = None,
    single_pairs: int = 1,
    multi_share: float = MULTI_SHARE,
    concat: int = 1,
    attempts: int = 3,
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
    """Ask a model to write one dialogue for each combination of images.

    For each image the model lists key facts from its texts and writes questions and answers; then it writes
    questions about several images. All are joined into one dialogue that introduces each image where it first
    appears. An interrupted run is continued by the same call.

    Parameters
    ----------
    combinations : str, path or sequence of Combination
        A file of `write_combinations`, or its content.
    out : str or path
        Folder for the dialogues: one ``{id}.json`` each, their pictures, and ``run.json``.
    model : str
        Name of the model at the server.
    base_url : str, optional
        A server that speaks the OpenAI chat protocol; by default the configuration of the client.
    pictures : str or path, optional
        Folder of the pictures; by default the folder of the file of combinations.
    prompts : str or path, optional
        Folder with prompts that replace the package's own, as in `load_prompts`.
    single_pairs : int, default 1
        Question-answer pairs about each image alone.
    multi_share : float, default 0.6
        Share of multi-image questions, at least.
    concat : int, default 1
        Number of combinations that are joined into one dialogue, by shifting the numbers of the images.
        Adjacent lines of the file are joined; the last dialogue may have fewer.
    attempts : int, default 3
        Maximum number of requests for a reply that breaks a rule; the reason is sent with each.
    image_side, parameters, concurrency, timeout, retries
        As in `answer`.
    limit : int, optional
        Only the first `limit` dialogues.
    prompt_price, completion_price : float, optional
        Price in US dollars of a million tokens.
    dry_run : bool, default False
        Estimate the requests and the cost without sending a request.
    progress : bool, optional
        Show a progress bar; by default on a terminal and in a notebook.
    return_run : bool, default False
        Return also what is missing.

    Returns
    -------
    pandas.DataFrame or Run
        As `load_dialogs` returns: one row per turn. A dialogue that needs a request without a usable reply is
        not part of it. With `return_run`: a `Run` with ``table``, ``missing`` (the requests without a usable
        reply), ``degraded`` and ``info``. With `dry_run`: one row, the estimate.

    Raises
    ------
    DataError
        If an argument is wrong, pictures are missing, `out` belongs to another run, or no request can
        succeed.

    Warns
    -----
    ProblemWarning
        If requests have no usable reply, unless `return_run` is set.

    See Also
    --------
    draw_combinations : What dialogues are written about.
    review_dialogs : People accept, edit or reject what was written.

    Notes
    -----
    Sections 2.2 and 3.1 of the paper. The prompts are this package's own; the authors' were not released.
    """
    for name, value in (("single_pairs", single_pairs), ("concat", concat), ("attempts", attempts)):
        if value < 1:
            raise DataError(f"{name}: got {value}, expected 1 or more")
    if not 0 < multi_share < 1:
        raise DataError(f"multi_share: got {multi_share}, expected a share between 0 and 1")
    if limit is not None and limit < 1:
        raise DataError(f"limit: got {limit}, expected 1 or more")
    if isinstance(combinations, str | Path):
        parts = load_combinations(combinations, pictures=pictures)
    else:
        parts = list(combinations)
    groups = [parts[start : start + concat] for start in range(0, len(parts), concat)]
    plans = [Plan(group, single_pairs, multi_share) for group in groups[:limit]]
    _check_pictures(plans)
    loaded = load_prompts(prompts)
    chosen = choose_parameters(parameters)
    fixed = {
        "command": "build write",
        "model": model,
        "combinations": {"n": len(parts), "sha256": _fingerprint(parts)},
        "prompts": loaded.name,
        "prompts_sha256": loaded.sha256,
        "single_pairs": single_pairs,
        "multi_share": multi_share,
        "concat": concat,
        "image_side": image_side,
        "parameters": chosen,
        "synthetic": any(part.synthetic for part in parts),
    }
    request = Request(
        Path(out).expanduser(),
        Server(model, base_url, chosen, timeout, retries, concurrency),
        Prices(prompt_price, completion_price),
        fixed,
        {"attempts": attempts},
        progress,
    )
    job = _Writing(plans, loaded, request)
    if dry_run:
        from mmdu_analysis.building.estimate import estimate_writing

        return estimate_writing(plans, loaded, job.folder, request)
    run = run_job(
        request, job, job.folder, job.keys, "dialogues", lambda path: (load_dialogs(path), problems_frame())
    )
    run = dataclasses.replace(run, table=run.table.drop(columns="n_lost_images"))
    if return_run:
        return run
    warn_about(run)
    return run.table


def _check_pictures(plans: Sequence[Plan]) -> None:
    """Refuse to start when pictures are missing."""
    lost = []
    for plan in plans:
        for item in plan.all_items():
            path = picture_path(item)
            if not path.is_file():
                lost.append((item["id"], path))
    if lost:
        key, path = lost[0]
        raise DataError(
            f"{len(lost)} pictures are missing, the first: item {key} ({path}); "
            "pass the folder that the paths are relative to (pictures)"
        )


def _fingerprint(parts: Sequence[Combination]) -> str:
    """Return a fingerprint of ids and texts; pictures have their own, by dialogue."""
    texts: list[str] = []
    for part in parts:
        texts.append(part.id)
        for item in part.items:
            texts += [f"{name}={item[name]}" for name in sorted(item) if name != "folder"]
    return digest_texts(texts)


def _digest_pictures(plan: Plan) -> str:
    digests = []
    for item in plan.all_items():
        with picture_path(item).open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digest_texts(digests)[:16]


class _Writing:
    """The job of `write_dialogs`."""

    def __init__(self, plans: Sequence[Plan], prompts: Prompts, request: Request) -> None:
        self._plans = {plan.id: plan for plan in plans}
        if len(self._plans) < len(plans):
            raise DataError("two combinations have the same id; ids must be unique")
        self._prompts, self._request = prompts, request
        pictures = {plan.id: _digest_pictures(plan) for plan in plans}
        self.folder = RunFolder(request.out, request.fixed, self._pack, _unpack, pictures=pictures)
        self.keys: list[tuple[str, Key]] = [(plan.id, (s.number, 1)) for plan in plans for s in plan.steps]

    def tracks(self) -> list[Track]:
        """List the dialogues with the steps that are left, the longest first."""
        for leftover in (self._request.out / PICTURES).glob(".*.tmp"):  # left by a run that was killed
            leftover.unlink(missing_ok=True)
        open_tracks = []
        for plan in self._plans.values():
            entries = self.folder.entries[plan.id]
            keys = [(step.number, 1) for step in plan.steps if not is_done(entries.get((step.number, 1)))]
            if keys:
                open_tracks.append(Track(plan.id, keys))
        return sorted(open_tracks, key=lambda track: -len(track.keys))

    def ends_track(self, _error: TurnError) -> str:
        """Return False: no step depends on another one; without facts, the texts of the item are shown."""
        return ""

    def ask(self, endpoint: Endpoint, dialog_id: str, key: Key) -> Entry:
        """Ask for one step; a reply that breaks a rule is kept, and requested again with the reason.

        A failed attempt is written before the next request, so that no paid reply is lost if the process is
        killed.
        """
        plan = self._plans[dialog_id]
        step = plan.steps[key[0] - 1]
        done = self._done(dialog_id)
        first = self._first_message(plan, step, done)
        entry = self.folder.entries[dialog_id].get(key)
        for attempt in range(1, self._request.details["attempts"] + 1):
            if attempt > 1 and entry is not None:
                self.folder.append(dialog_id, entry)
            reply = endpoint.ask([first, *self._complaint(entry)])
            entry = {"turn": key[0], "kind": step.kind, "model": self._request.server.model}
            entry |= {"prompt": self._prompts.name, "reply": reply.text, "finish_reason": reply.finish_reason}
            entry["usage"] = list(reply.usage)  # the folder adds the tokens of earlier attempts
            try:
                entry |= self._read(plan, step, reply, done)
            except ReplyError as error:
                entry["problem"] = str(error)
                endpoint.streak.add()
                if endpoint.streak.is_over:
                    break
            else:
                endpoint.streak.clear()
                break
        assert entry is not None  # noqa: S101 - attempts is 1 or more
        return entry

    def _done(self, dialog_id: str) -> dict[int, Entry]:
        entries = self.folder.entries[dialog_id]
        return {number: entry for (number, _), entry in entries.items() if is_done(entry)}

    def _first_message(self, plan: Plan, step: Step, done: Mapping[int, Entry]) -> Any:
        text = plan.prompt(step, self._prompts, done)
        if step.kind == "facts":
            return chat.message("user", text)
        content: list[Any] = []
        for number, item in enumerate(plan.items(step), step.image or 1):
            part = self._picture(item)
            content += [{"type": "text", "text": f"Image{number}: "}, part]
        return chat.message("user", [*content, {"type": "text", "text": text}])

    def _picture(self, item: Mapping[str, str]) -> dict[str, Any]:
        picture = load_picture(picture_path(item), self._request.fixed["image_side"], keep=True)
        if picture.problem:
            raise TurnError(f"the picture of item {item['id']}: {picture.problem}")
        url = f"data:{picture.mime};base64,{base64.b64encode(picture.data).decode()}"
        return {"type": "image_url", "image_url": {"url": url}}

    def _complaint(self, entry: Entry | None) -> list[Any]:
        """Return the messages that follow a reply that broke a rule."""
        if entry is None or "problem" not in entry or not entry.get("reply"):
            return []
        again = self._prompts.fill("again", {"reason": entry["problem"]})
        return [chat.message("assistant", entry["reply"]), chat.message("user", again)]

    def _read(self, plan: Plan, step: Step, reply: Completion, done: Mapping[int, Entry]) -> dict[str, Any]:
        if not reply.complete:
            raise ReplyError("it ends inside its thinking part")
        try:
            if step.kind == "facts":
                return {"facts": read_facts(reply.text)}
            pairs = read_pairs(
                reply.text,
                step.n,
                image=step.image or None,
                n_images=len(plan.parts[step.part].items),
                before=plan.questions(step, done),
            )
        except ReplyError as error:
            cut = "; it was truncated at the token limit" if reply.finish_reason == "length" else ""
            raise ReplyError(f"{error}{cut}") from None
        return {"pairs": pairs}

    def ended(self, dialog_id: str) -> None:
        """Do nothing: pictures are read when they are sent."""

    def _pack(self, dialog_id: str, entries: list[Entry]) -> dict[str, Any]:
        """Return the content of a dialogue's file: the dialogue in the authors' form, and its steps."""
        plan = self._plans[dialog_id]
        done = {entry["turn"]: entry for entry in entries if is_done(entry)}
        record: dict[str, Any] = {"id": dialog_id}
        if plan.is_complete(done):
            pairs = plan.pairs(done)
            questions, shown = introduce_images(pairs)
            record |= {"image": self._copy_pictures(plan)[:shown], "conversations": []}
            for question, pair in zip(questions, pairs, strict=True):
                record["conversations"] += [
                    {"from": "user", "value": question},
                    {"from": "assistant", "value": pair.answer},
                ]
            record["pairs"] = [{"question": p.question, "answer": p.answer, **p.origin} for p in pairs]
            record["items"] = [
                {name: value for name, value in item.items() if name != "folder"} for item in plan.all_items()
            ]
        record["steps"] = entries
        return record | ({"synthetic": True} if plan.synthetic else {})

    def _copy_pictures(self, plan: Plan) -> list[str]:
        """Copy the pictures of a dialogue into the output folder, so that it is self-contained."""
        names = []
        folder = self._request.out / PICTURES
        folder.mkdir(exist_ok=True)
        for item in plan.all_items():
            source = picture_path(item)
            target = folder / picture_name(item["id"], source)
            if not target.exists():
                temporary = target.with_name(f".{target.name}.{plan.id[:40]}.tmp")
                shutil.copyfile(source, temporary)
                temporary.replace(target)
            names.append(f"{PICTURES}/{target.name}")
        return names


def _unpack(value: Any) -> list[Entry]:
    return list(value["steps"])
