"""Build the wheel, install it into a fresh environment without extras, and run the main commands there.

Usage: python scripts/smoke_wheel.py [EXTRA ...]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMANDS = (
    ("--version",),
    ("stats",),
    ("stats", "--data", "demo/benchmark.json"),
    ("scores",),
    ("scores", "--data", "demo/benchmark.json", "--scores", "demo/scores"),
    ("gap",),
    ("audit",),
    ("plan",),
    ("validate", "demo/benchmark.json"),
    ("figures", "--out", "drawn"),
    ("report", "--out", "report.html"),
)


def run(*command: object, cwd: Path) -> None:
    """Run a command and end with its output if it fails."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    shown = " ".join(map(str, command[-6:]))
    print(f"{'ok  ' if done.returncode == 0 else 'FAIL'} {shown}", flush=True)
    if done.returncode:
        sys.exit(f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")


def main(extras: list[str]) -> None:
    """Build, install, run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT, cwd=folder)
        (wheel,) = folder.glob("*.whl")
        venv.create(folder / "env", with_pip=True)
        python = folder / "env" / "bin" / "python"
        wanted = f"{wheel}[{','.join(extras)}]" if extras else str(wheel)
        constraints = ROOT / "constraints.txt"
        run(
            python,
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "-c",
            constraints,
            wanted,
            cwd=folder,
        )
        mmdu = folder / "env" / "bin" / "mmdu"
        run(mmdu, "sample", "--out", "demo", cwd=folder)
        for command in COMMANDS:
            run(mmdu, *command, cwd=folder)
        if not (folder / "drawn" / "README.md").is_file():
            sys.exit("the figures have no index page")
        size = sum(path.stat().st_size for path in (folder / "env").rglob("*") if path.is_file())
        listed = subprocess.run(
            [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
        )
        print(f"{len(listed.stdout.splitlines())} packages, {size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
