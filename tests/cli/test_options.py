"""Options of several values: repeated, separated by commas, or both."""

from __future__ import annotations

import pytest

from mmdu_analysis.cli import options
from mmdu_analysis.cli.app import app
from mmdu_analysis.schema import DataError


def help_of(command):
    """The options of a command with their help, from click."""
    import typer

    return {
        parameter.opts[0]: (parameter.multiple, parameter.help)
        for parameter in typer.main.get_command(app).commands[command].params
        if hasattr(parameter, "multiple")
    }


def test_values_are_repeated_or_separated_by_commas():
    assert options.split_values(["a,b", " c ,", "d"]) == ["a", "b", "c", "d"]
    assert options.split_values(None) == []


def test_a_path_with_a_comma_is_not_split(tmp_path):
    whole = tmp_path / "a,b"
    whole.mkdir()
    assert options.split_paths([str(whole), "x,y"]) == [str(whole), "x", "y"]


def test_a_model_with_a_comma_keeps_its_name():
    assert options.split_pairs(["A=open,B=closed", "C, large=open"]) == [
        "A=open",
        "B=closed",
        "C, large=open",
    ]


def test_counts_are_whole_numbers():
    assert options.split_counts(["50,100", "110"], "--dialogs", 2) == [50, 100, 110]
    for wrong in ("x", "1", "2.5"):
        with pytest.raises(DataError, match=f"--dialogs got '{wrong}', expected whole numbers from 2"):
            options.split_counts([wrong], "--dialogs", 2)


def test_two_models_are_two():
    assert options.two_models(["A", "B"], "--compare") == ("A", "B")
    assert options.two_models(None, "--compare") is None
    with pytest.raises(DataError, match=r"--compare got A; expected two models: --compare A,B"):
        options.two_models(["A"], "--compare")


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("figures", ["--answers", "--scores", "--ratings", "--access", "--only", "--format"]),
        ("report", ["--answers", "--scores", "--ratings", "--access", "--sections"]),
        ("scores", ["--by", "--compare"]),
        ("plan", ["--dialogs", "--repeats", "--models"]),
        ("stats", ["--data"]),
    ],
)
def test_help_says_how_several_values_are_given(command, names):
    found = help_of(command)
    assert all(found[name][0] and options.SEVERAL in found[name][1] for name in names)
