"""Install the wheel into a fresh environment, with an extra or none, and run the main commands there.

Usage: python scripts/smoke_wheel.py [--python PYTHON] [--editable] [EXTRA ...]

Each EXTRA gets an environment of its own, with the checks of the core and its own ones; without any, only the core is
installed. ``--editable`` installs the checkout instead of a wheel.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
CORE = (
    "mmdu --version",
    "mmdu stats",
    "mmdu stats --data demo/benchmark.json",
    "mmdu scores",
    "mmdu scores --data demo/benchmark.json --scores demo/scores",
    "mmdu gap",
    "mmdu audit",
    "mmdu plan",
    "mmdu validate demo/benchmark.json",
    "mmdu convert --data demo/benchmark.json --to llava --out demo/llava.json",
    "mmdu figures --out drawn",
    "mmdu report --out report.html",
)
FOR_EXTRA: dict[str, tuple[str, ...]] = {
    "lab": ("python -c 'import mmdu_analysis as m; m.browse(\"sample\")._repr_mimebundle_()'",),
    "explore": ("python -c 'import mmdu_analysis as m; m.Study.sample().explore()._repr_mimebundle_()'",),
    "judging": ("python -c 'from mmdu_analysis import answer, judge; import openai, filelock'",),
    "topics": ("python -c 'import mmdu_analysis as m; print(m.topic_groups(\"sample\"))'",),
    "chinese": ("python chinese.py",),
    "dask": ("python cluster.py",),
    "building": ("mmdu build sample --out items", "mmdu build cluster items/items.jsonl"),
}
"""Commands that need an extra. ``all`` runs those of every extra."""

CLUSTER = """
import mmdu_analysis as m

if __name__ == "__main__":
    assert m.dialog_lengths("demo/benchmark.json", "dask").equals(m.dialog_lengths("demo/benchmark.json"))
"""


CHINESE = """
import json
import mmdu_analysis as m

talk = [{"from": "user", "value": "<image> 图片中的红色汽车"}, {"from": "assistant", "value": "汽车"}]
json.dump([{"id": 1, "image": ["a.jpg"], "conversations": talk}], open("chinese.json", "w"))
assert "汽车" in set(m.word_frequencies("chinese.json")["word"])
"""


def run(command: list[str], cwd: Path) -> None:
    """Run a command and end with its output if it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    print(f"{'ok  ' if done.returncode == 0 else 'FAIL'} {' '.join(command[-6:])}", flush=True)
    if done.returncode:
        sys.exit(f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")


def check(source: list[str], extra: str, python: str, folder: Path) -> None:
    """Install into a fresh environment and run the commands."""
    run([python, "-m", "venv", "env"], folder)
    programs = folder / "env" / "bin"
    wanted = [*source[:-1], f"{source[-1]}[{extra}]"] if extra else source
    constraints = str(ROOT / "constraints.txt")
    pip = [str(programs / "python"), "-m", "pip", "--disable-pip-version-check"]
    run([*pip, "install", "-q", "-c", constraints, *wanted], folder)
    (folder / "cluster.py").write_text(CLUSTER, encoding="utf-8")
    (folder / "chinese.py").write_text(CHINESE, encoding="utf-8")
    chosen = FOR_EXTRA if extra == "all" else {extra: FOR_EXTRA.get(extra, ())}
    own = [command for commands in chosen.values() for command in commands]
    for command in ("mmdu sample --out demo", *CORE, *own):
        program, *arguments = shlex.split(command)
        run([str(programs / program), *arguments], folder)
    if not (folder / "drawn" / "README.md").is_file():
        sys.exit("the figures have no index page")
    size = sum(path.stat().st_size for path in (folder / "env").rglob("*") if path.is_file())
    listed = subprocess.run([*pip, "list", "--format=freeze"], capture_output=True, text=True, check=True)
    count = len(listed.stdout.splitlines())
    print(f"{extra or 'core'}: {count} packages, {size / 1e6:,.0f} MB", flush=True)


def main() -> None:
    """Build the wheel and check it with each extra."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--editable", action="store_true")
    parser.add_argument("extras", nargs="*", metavar="EXTRA")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = ["-e", str(ROOT)]
        if not options.editable:
            run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", name, str(ROOT)], folder)
            source = [str(next(folder.glob("*.whl")))]
        for extra in options.extras or [""]:
            with tempfile.TemporaryDirectory() as own:
                check(source, extra, options.python, Path(own))


if __name__ == "__main__":
    main()
