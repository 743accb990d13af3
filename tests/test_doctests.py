"""The examples in docstrings give what they show, and public functions are documented in full."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
import warnings

import pytest

import mmdu_analysis

MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(mmdu_analysis.__path__, "mmdu_analysis.")
    if "__main__" not in info.name
)
PUBLIC = [
    name
    for name in mmdu_analysis.__all__
    if inspect.isfunction(getattr(mmdu_analysis, name)) or inspect.isclass(getattr(mmdu_analysis, name))
]


def examples(name):
    module = importlib.import_module(name)
    return [test for test in doctest.DocTestFinder().find(module, name) if test.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_show(name):
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mmdu_analysis.DataWarning)
        for test in examples(name):
            test.globs["mmdu"] = mmdu_analysis
            runner.run(test)
    assert runner.failures == 0


@pytest.mark.parametrize("name", PUBLIC)
def test_public_docstrings_are_complete(name):
    thing = getattr(mmdu_analysis, name)
    text = inspect.getdoc(thing)
    assert text, name
    if inspect.isfunction(thing):
        wanted = [p for p in inspect.signature(thing).parameters.values() if p.kind is not p.VAR_KEYWORD]
        section = text.split("Parameters\n---")[-1] if wanted else ""
        missing = [p.name for p in wanted if not re.search(rf"(^|[\s,*]){re.escape(p.name)}\b", section)]
        assert not missing, f"{name}: {missing} are not described"
        assert (
            "Returns\n---" in text
            or "Yields\n---" in text
            or thing.__annotations__.get("return") in (None, "None")
        ), name
