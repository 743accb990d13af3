"""What several test modules build or look up: records, hostile texts, folders."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"

HOSTILE = (
    "<script>window.hit=1</script><img src=x onerror='window.hit=1'><svg onload=window.hit=1></svg>"
    "<style>*{display:none}</style>[a](javascript:window.hit=1) ![x](http://example.invalid/x.png) "
    "</script><iframe srcdoc='<script>parent.hit=1</script>'></iframe> <b onclick=1>b</b>"
)

Q = "Image1: <ImageHere>. Image2: <ImageHere>. Describe Image2."


def record(key=1, user="user", bot="assistant", place="<ImageHere>", **extra):
    talk = [{"from": user, "value": Q.replace("<ImageHere>", place)}, {"from": bot, "value": "A bird."}]
    talk += [
        {"from": user, "value": "And Image1?"},
        {"from": bot, "value": [{"text": "A "}, {"text": "cat."}]},
    ]
    return {"id": key, "image": ["/mmdu_pics/a.jpg", "/mmdu_pics/b.jpg"], "conversations": talk, **extra}


def frame_of(points, model, judge="j", dimension="Overall Score"):
    """Scores of a matrix of dialogues x turns; NaN where a turn has none."""
    import pandas as pd

    rows = [
        (model, judge, str(dialog), turn, dimension, float(score))
        for dialog, scores in enumerate(points)
        for turn, score in enumerate(scores, 1)
    ]
    return pd.DataFrame(rows, columns=["model", "judge", "dialog_id", "turn", "dimension", "score"])
