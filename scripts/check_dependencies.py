"""Check the dependencies: their licences, and their known vulnerabilities.

The licences need no web. pip-audit asks the advisory databases; where they can't be reached it says so, and that is
no failure.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator

ALLOWED = re.compile(
    r"apache|\bmit\b|\bbsd|\bisc\b|python|\bpsf|mozilla|\bmpl|zlib|unlicense|public domain|\bcc0|hpnd|\bcnri|0bsd|historical permission",
    re.IGNORECASE,
)
REFUSED = re.compile(
    r"\bagpl|\bgpl|general public license v\d|\bsspl|proprietary|non-?commercial", re.IGNORECASE
)
TIMEOUT = 120


def licences() -> Iterator[tuple[str, str, str]]:
    """Yield name, version and licence of every installed package."""
    command = [sys.executable, "-m", "piplicenses", "--format=json", "--from=mixed", "--with-system"]
    for entry in json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout):
        yield entry["Name"], entry["Version"], entry["License"]


def wrong_licences() -> list[str]:
    """Return the packages with a licence that is not compatible with this project."""
    wrong = []
    for name, version, licence in licences():
        alternatives = re.split(r";| OR ", licence)
        if not any(ALLOWED.search(part) and not REFUSED.search(part) for part in alternatives):
            wrong.append(f"{name} {version}: {licence}")
    return wrong


def advisories() -> tuple[list[str], str]:
    """Return the findings of pip-audit, or the reason why it could not run."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--format=json",
        "--progress-spinner=off",
        "--skip-editable",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        found = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return [], "the advisory databases can't be reached"
    return [
        f"{entry['name']} {entry['version']}: {problem['id']}, fixed in {', '.join(problem['fix_versions']) or 'no version'}"
        for entry in found
        for problem in entry.get("vulns", [])
    ], ""


def main() -> int:
    """Print what is wrong; 1 if there is anything."""
    wrong = wrong_licences()
    for line in wrong:
        print(f"licence: {line}")
    unsafe, reason = advisories()
    for line in unsafe:
        print(f"advisory: {line}")
    print(f"{sum(1 for _ in licences())} packages: {len(wrong)} licences refused; "
          + (f"no audit: {reason}" if reason else f"{len(unsafe)} advisories"))  # fmt: skip
    return bool(wrong or unsafe)


if __name__ == "__main__":
    sys.exit(main())
