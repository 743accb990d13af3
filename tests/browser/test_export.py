"""One dialogue as a page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from builders import HOSTILE

from mmdu_analysis import DataError, sample_answers, sample_scores
from mmdu_analysis.browser.export import export_page
from mmdu_analysis.browser.session import Session


def test_an_exported_page_holds_everything_and_no_markup(tmp_path, sample):
    turns = sample.turns.copy()
    turns.loc[turns["dialog_id"] == "0", ["question", "answer"]] = HOSTILE
    bench = replace(sample, turns=turns, name="<b>name</b>")
    export_page(
        Session(bench, sample_answers().assign(answer=HOSTILE), sample_scores()), "0", tmp_path / "page.html"
    )
    page = (tmp_path / "page.html").read_text()
    assert page.count("</script>") == 3
    assert "<b>name</b>" not in page
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page)
    with pytest.raises(DataError, match="no dialogue"):
        export_page(Session(bench), "none", tmp_path / "x.html")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_browse_export_in_a_terminal(sample_files, tmp_path):
    command = [sys.executable, "-m", "mmdu_analysis.cli", "browse", "--data", str(sample_files), "--export"]
    done = subprocess.run(
        [*command, "5", "--out", str(tmp_path / "p.html")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, (tmp_path / "p.html").stat().st_size > 50_000) == (0, True)
    for options in (["none", "--out", str(tmp_path / "q.html")], ["5", "--out", str(tmp_path)]):
        done = subprocess.run(
            [*command, *options], capture_output=True, text=True, check=False, env=os.environ
        )
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
