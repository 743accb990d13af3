"""Compose judge replies from known scores: forms, thinking, explanations, quotations, corrections."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from mmdu_analysis.schema import DIMENSION_NAMES, MMDU

Scores = dict[str, float]
CHINESE = {d.name: d.aliases[-1] for d in MMDU.dimensions}
SHORT = {d.name: d.short for d in MMDU.dimensions}
WORDS = "zero one two three four five six seven eight nine ten".split()
HAN = "零一二三四五六七八九十"


def camel(name: str) -> str:
    return name[0].lower() + name.replace(" ", "")[1:]


def snake(name: str) -> str:
    return name.lower().replace(" ", "_")


def lines(scores: Scores, form: str = "{name}: {score}/10", end: str = "\n") -> str:
    return end.join(
        form.format(name=n, zh=CHINESE[n], camel=camel(n), snake=snake(n), score=f"{v:g}", share=f"{v / 10:g}",
                    comma=f"{v:g}".replace(".", ","), sixty=f"{v * 6:g}")
        for n, v in scores.items()
    )  # fmt: skip


def _table(
    scores: Scores, header: str = "| Dimension | Score |\n|---|---|\n", row: str = "| {name} | {score} |"
) -> str:
    return header + lines(scores, row)


def _columns(scores: Scores) -> str:
    rule = "|---" * len(scores) + "|"
    return (
        "| "
        + " | ".join(scores)
        + " |\n"
        + rule
        + "\n| "
        + " | ".join(f"{v:g}" for v in scores.values())
        + " |"
    )


FORMS: dict[str, Callable[[Scores], str]] = {
    "JSON": json.dumps,
    "JSON indented": lambda s: json.dumps(s, indent=2),
    "JSON in a fence": lambda s: f"```json\n{json.dumps(s)}\n```",
    "JSON without escapes": lambda s: json.dumps({CHINESE[n]: v for n, v in s.items()}, ensure_ascii=False),
    "JSON with escapes": lambda s: json.dumps({CHINESE[n]: v for n, v in s.items()}),
    "JSON of texts": lambda s: json.dumps({n: f"{v:g}/10" for n, v in s.items()}),
    "Python dict": str,
    "trailing comma": lambda s: str(s)[:-1] + ",\n}",
    "typographic quotes": lambda s: str(s).replace("'", "’"),
    "full width": lambda s: str(s).translate(str.maketrans("{}:,", "｛｝：，")),
    "keys without quotes": lambda s: "{" + lines(s, "{name}: {score}", ", ") + "}",
    "snake_case": lambda s: json.dumps({snake(n) + "_score": v for n, v in s.items()}),
    "camelCase": lambda s: json.dumps({camel(n): v for n, v in s.items()}),
    "nested": lambda s: json.dumps({n: {"reason": "It names 2 of 3 images.", "score": v} for n, v in s.items()}),
    "scores and reasons": lambda s: json.dumps(
        {"scores": s, "reasons": dict.fromkeys(s, "Richness: 9 details of 12."), "total": sum(s.values())}
    ),
    "reasons first": lambda s: json.dumps({"reasons": dict.fromkeys(s, "9 would be too much"), "scores": s}),
    "list of objects": lambda s: json.dumps(
        [{"dimension": n, "score": v, "comment": "Creativity: 2 ideas"} for n, v in s.items()]
    ),
    "objects on lines": lambda s: "\n".join(json.dumps({"criterion": n, "rating": v, "max": 10}) for n, v in s.items()),
    "explanation in JSON": lambda s: json.dumps({"explanation": "Creativity: 10, no: 3.", **s, "comment": "Richness = 1"}),
    "lines": lines,
    "bare lines": lambda s: lines(s, "{name}: {score}"),
    "bullets": lambda s: lines(s, "- **{name}**: {score}/10"),
    "bold colon": lambda s: lines(s, "* **{name}:** **{score}**"),
    "bold out of ten": lambda s: lines(s, "{name}: **{score}**/10"),
    "nested bullets": lambda s: lines(s, "- {name}:\n  - reason: plain\n  - score: {score}/10"),
    "YAML": lambda s: lines(s, "{name}:\n  score: {score}\n  reason: ok"),
    "table in bold": lambda s: _table(s, row="| **{name}** | **{score}** / 10 |"),
    "dash": lambda s: lines(s, "- {name} - {score}/10"),
    "en dash": lambda s: lines(s, "{name} – {score}"),
    "arrow": lambda s: lines(s, "{name} -> {score}/10"),
    "equals": lambda s: lines(s, "{snake} = {score}"),
    "camel lines": lambda s: lines(s, "{camel}: {score}"),
    "suffix": lambda s: lines(s, "{name} Score: {score}"),
    "decimal comma": lambda s: lines(s, "{name}: {comma}"),
    "share": lambda s: lines(s, "{name}: {score}/10 ({share})"),
    "reduced": lambda s: lines(s, "{name}: {sixty}/60 = {score}/10"),
    "out of": lambda s: lines(s, "{name}: {score} out of 10"),
    "scale in brackets": lambda s: lines(s, "{name} (0-10): {score}"),
    "score in brackets": lambda s: lines(s, "* **{name} ({score}/10)**: plain wording."),
    "numbered": lambda s: "\n".join(f"{i}. {n}: {v:g}/10" for i, (n, v) in enumerate(s.items(), 1)),
    "on one line": lambda s: lines(s, "{name}: {score}", ", "),
    "semicolons": lambda s: "Scores: " + lines(s, "{name} {score}/10", "; "),
    "Chinese": lambda s: lines(s, "{zh}：{score}分"),
    "Chinese mark": lambda s: lines(s, "{zh}：得分{score}"),
    "Chinese mark without colon": lambda s: lines(s, "{zh}得分{score}"),
    "Chinese reasons": lambda s: lines(s, "{zh}：{score}分，因为第二张图片描述得清楚。"),
    "reason then score": lambda s: lines(s, "**{name}**: rather plain wording. Score: {score}"),
    "count then score": lambda s: lines(s, "{name}: 1 of 3 images is covered well, so {score}/10"),
    "score then reason": lambda s: lines(s, "{name}: {score}/10. Image 2 and <image-3> are described, Image1 isn't."),
    "headings": lambda s: lines(s, "### {name}\nFine, in Image1 too.\n**Score: {score}**\n"),
    "numbered bold headings": lambda s: lines(s, "**1. {name}**\nFine.\n*Score: {score}*\n"),
    "score in the heading": lambda s: lines(s, "## {name} ({score}/10)\nGood wording.\n"),
    "score below the heading": lambda s: lines(s, "## {name}\n{score}/10\nGood wording.\n"),
    "reason below the heading": lambda s: lines(s, "{name}\nReason: 3 ideas only.\nScore: {score}/10\n"),
    "table": _table,
    "table without header": lambda s: _table(s, ""),
    "table with reasons": lambda s: _table(
        s, "| Dimension | Reason | Score (0-10) |\n|:--|---|--:|\n", "| **{name}** | 2 details, 7 would be too much | {score}/10 |"
    ),
    "table of columns": _columns,
}  # fmt: skip

THINKING = (
    "<think>\n{draft}\nToo strict.\n</think>\n\n", "{draft} No, that is too strict.\n</think>\n\n",
    "<thinking>Creativity is a 1, or 2.</thinking>", "<think></think>\n",
    "<|channel|>analysis<|message|>{draft}<|end|><|start|>assistant<|channel|>final<|message|>",
)  # fmt: skip
BEFORE = (
    "", "Here is my judgement.\n\n", "I compared the answer with the reference on a scale from 0 to 10.\n\n",
    "The answer names 3 birds and 2 cats; the reference has 5.\n\n", "**Assessment**\n\n", "评分如下：\n",
)  # fmt: skip
QUOTED = (
    "> Creativity: {other}/10\n\n", 'The assistant wrote: "{{\'Creativity\': {other}}}", which is odd.\n\n',
    "As asked ({{'Creativity': {other}, 'Richness': {other}, ..., 'Overall Score': {other}}}):\n\n",
)  # fmt: skip
AFTER = (
    "", "\n\nI hope this helps!", "\n\nThe answer misses Image 2.", "\n\nIt covers 2 of 3 images.", "\n\nTotal: 39/70",
    "\n\nThe wording is plain, and the year 1998 is right.", "\n\n总体来说，回答比较清楚。",
)  # fmt: skip
COMPLETE = (
    "\n\nA perfect answer: {all}", "\n\nFor comparison, the reference:\n{lines}", "\n\nRevised:\n```json\n{all}\n```",
)  # fmt: skip
CORRECTIONS = (
    "I'd now give {name} a {new}.", "{name} should be {new}.", "On reflection, lower {name} to {word}.",
    "Correction: {name} {new}/10", "{name}: {new}", "Change that one, {name}, into {han}分.", "{name}改为{han}。",
    "Revised score for the dimension {name}: {new}", "| {name} | {new} |", "{{'{name}': {new}}}",
    "> {name}: {new}", "`{{\"{name}\": {new}}}` replaces the above.", "No, {new} ({name}).", "**{name}** → **{new}**",
    "{name}: make it {new} instead", "Hm, {new}, not what I wrote for {name} above.",
)  # fmt: skip


def compose(rng: random.Random, form: str | None = None, *, plain: bool = False) -> tuple[str, Scores]:
    """Return a reply and the scores that a careful reader takes from it."""
    form = form or rng.choice(list(FORMS))
    step = rng.choice((1.0, 0.5))
    scores = {name: rng.randrange(0, int(10 / step) + 1) * step for name in DIMENSION_NAMES}
    draft = {name: float(rng.randrange(0, 11)) for name in DIMENSION_NAMES}
    text = FORMS[form](scores)
    if plain:
        return text, scores
    text = rng.choice(BEFORE) + text
    if rng.random() < 0.25:
        text = rng.choice(QUOTED).format(other=rng.randrange(0, 11)) + text
    text += rng.choice(AFTER)
    if rng.random() < 0.15:
        text += rng.choice(COMPLETE).format(all=json.dumps(draft), lines=lines(draft))
    elif rng.random() < 0.4:
        name, new = rng.choice(DIMENSION_NAMES), rng.randrange(0, 11)
        said = rng.choice((name, name.lower(), CHINESE[name]))
        correction = rng.choice(CORRECTIONS).format(name=said, new=new, word=WORDS[new], han=HAN[new])
        text += rng.choice(("\n\n", "\n", " ")) + correction + rng.choice(("", "\n\nI hope this helps!"))
        scores[name] = float(new)
    if rng.random() < 0.3:
        text = rng.choice(THINKING).format(draft=rng.choice((json.dumps(draft), lines(draft)))) + text
    return text, scores
