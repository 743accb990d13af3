"""Files of figures: the same bytes, all formats, reasons for what is left out, an index, no process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from builders import ROOT
from plot_tools import artists_of, same_artists

import mmdu_analysis as mmdu
from mmdu_analysis.plots import _export

FEW = ["benchmark_comparison", "wordcloud_questions", "turns"]

THROWAWAY = '''
from mmdu_analysis.plots._render import Drawing, figure


def _numbers(study):
    import pandas as pd

    return pd.DataFrame({"name": ["a", "b"], "value": [1, 2], "source": "nowhere"})


@figure(caption="A throwaway figure", numbers=_numbers, notebook="01_dataset_statistics", facts="always")
def throwaway(frame, ax):
    """Draw two bars."""
    ax.bar(frame["name"], frame["value"])
    return Drawing("Two bars", note="n=2.")
'''


def test_two_runs_write_the_same_bytes(facts, tmp_path):
    contents = []
    for run in ("a", "b"):
        written = mmdu.save_figures(facts, tmp_path / run, only=FEW, formats=["png", "pdf", "svg"])
        files = [Path(name) for row in written["files"] for name in row.split("; ")]
        assert [path.parent for path in files] == [tmp_path / run] * 12
        contents.append({path.name: path.read_bytes() for path in files})
    assert contents[0] == contents[1]
    assert all(b"/Type3" not in data for name, data in contents[0].items() if name.endswith("pdf"))
    assert not [path for path in (tmp_path / "a").iterdir() if path.name.startswith(".")]


def test_the_files_draw_the_figure_again(facts, tmp_path):
    mmdu.save_figures(facts, tmp_path, only=["turns"], formats=["svg"])
    again = mmdu.plots.turns(pd.read_csv(tmp_path / "turns.csv"))
    assert same_artists(artists_of(again.figure), artists_of(facts.plot("turns").figure)) is None


def test_sizes_and_texts_are_options(facts, tmp_path):
    from PIL import Image

    bare = {"title": False, "note": False, "formats": ["png"], "only": ["turns"]}
    mmdu.save_figures(facts, tmp_path, width=3.3, height=2, font_size=8, **bare)
    assert Image.open(tmp_path / "turns.png").size == (660, 400)


def test_what_a_study_lacks_is_left_out_with_the_reason(real, tmp_path):
    study = mmdu.Study(real)
    written = mmdu.save_figures(
        study, tmp_path, formats=["png"], only=["images", "text_tokens", "context_growth"]
    )
    rows = written.set_index("figure")
    assert rows["available"].to_dict() == {"images": True, "text_tokens": False, "context_growth": False}
    assert "107 of 1,615" in rows.loc["text_tokens", "reason"]
    assert "107 of 1,615" in rows.loc["context_growth", "reason"]  # found out by its numbers
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images.csv", "images.png"]


def test_wrong_options_are_refused(facts, tmp_path):
    (tmp_path / "file").write_text("")
    for wrong in ({"formats": ["gif"]}, {"formats": []}, {"width": 0}, {"height": 1000}, {"only": ["none"]}):
        with pytest.raises(mmdu.DataError):
            mmdu.save_figures(facts, tmp_path / "new", **{"only": FEW, **wrong})
    with pytest.raises(mmdu.DataError, match="expected a folder"):
        mmdu.save_figures(facts, tmp_path / "file")
    assert not (tmp_path / "new").exists()


def test_progress_is_told(facts, tmp_path):
    told = []
    mmdu.save_figures(
        facts, tmp_path, only=FEW[:2], formats=["png"], progress=lambda *news: told.append(news)
    )
    assert [news[:2] for news in told] == [(1, 2), (2, 2)]
    assert {news[2] for news in told} == set(FEW[:2])


def test_a_fault_of_a_figure_is_raised_and_ends_the_workers(facts, tmp_path, monkeypatch):
    import multiprocessing

    monkeypatch.setattr(_export, "write_figure", lambda *_: 1 / 0)
    monkeypatch.setattr(
        _export.threading, "active_count", lambda: 1
    )  # a fork sees the fault, also beside threads
    with pytest.raises(ZeroDivisionError):
        mmdu.save_figures(facts, tmp_path, only=FEW, formats=["png"])
    for _ in range(50):
        if not multiprocessing.active_children():
            break
        time.sleep(0.1)
    assert not multiprocessing.active_children()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_an_interrupt(tmp_path, how):
    code = f"import mmdu_analysis as m; m.save_figures(m.Study(), {str(tmp_path)!r}, progress=lambda *_: print(1, flush=True))"
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, text=True
    )
    assert process.stdout.readline() == "1\n"  # the workers are at work
    workers = children(process.pid)
    assert workers
    process.send_signal(how)
    process.wait(20)
    for _ in range(100):
        if not any(Path(f"/proc/{pid}").exists() for pid in workers):
            break
        time.sleep(0.1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def children(pid):
    """Processes whose parent is `pid`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                status = (entry / "stat").read_text()
            except OSError:
                continue
            if int(status.rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def test_a_new_figure_in_one_file_is_found_everywhere(tmp_path, monkeypatch):
    from mmdu_analysis import plots
    from mmdu_analysis.plots._index import write_index
    from mmdu_analysis.registry import _figures, find_figures

    folder = tmp_path / "extra"
    folder.mkdir()
    (folder / "throwaway_module.py").write_text(THROWAWAY)
    monkeypatch.setattr(plots, "__path__", [*plots.__path__, str(folder)])
    try:
        study = mmdu.Study()
        assert "throwaway" in set(study.available()["figure"])
        assert "throwaway" in dir(mmdu.plots)
        (figure,) = find_figures(["throwaway"])
        written = mmdu.save_figures(study, tmp_path / "out", only=["throwaway"], formats=["png"])
        page = write_index(tmp_path / "out", [(figure, _export.Result(**row)) for row in results(written)])
        text = page.read_text()
        assert "## throwaway" in text
        assert "notebooks/01_dataset_statistics.ipynb" in text
        assert "A throwaway figure" in text
    finally:
        _figures.pop("throwaway", None)
        sys.modules.pop("mmdu_analysis.plots.throwaway_module", None)


def results(written):
    rows = written.to_dict("records")
    return [row | {"files": tuple(row["files"].split("; "))} for row in rows]


def test_the_index_lists_numbers_code_notebook_and_what_is_left_out(tmp_path):
    from mmdu_analysis.plots._index import write_index
    from mmdu_analysis.registry import find_figures

    shown, lacking = find_figures(["turns", "text_tokens"])
    folder = tmp_path / "figures"
    folder.mkdir()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_dataset_statistics.ipynb").write_text("{}")
    files = tuple(str(folder / f"turns.{form}") for form in ("png", "pdf", "csv"))
    drawn = _export.Result("turns", True, "", "Dialogues [all]", files)
    left = _export.Result("text_tokens", False, "it needs | references")
    text = write_index(folder, [(shown, drawn), (lacking, left)]).read_text()
    assert "(turns.png)" in text
    assert "[CSV](turns.csv)" in text
    assert "[notebook](../notebooks/01_dataset_statistics.ipynb)" in text
    assert "| text_tokens | it needs / references |" in text
    assert os.linesep * 3 not in text


def test_no_name_is_not_all_names(facts, tmp_path):
    with pytest.raises(mmdu.DataError, match="no name of a figure was given"):
        mmdu.save_figures(facts, tmp_path / "figures", only=[])
    assert not (tmp_path / "figures").exists()
