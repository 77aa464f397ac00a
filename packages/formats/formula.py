"""The Homebrew formula, which installs the archives of a release."""

import hashlib
import re
from pathlib import Path

from .program import ROOT

TARGETS = [
    "aarch64-apple-darwin",
    "x86_64-apple-darwin",
    "aarch64-unknown-linux-musl",
    "x86_64-unknown-linux-musl",
]


def make(folder: Path) -> Path:
    formula = (ROOT / "packages/homebrew/switchhook.rb").read_text()
    archives = {target: find(folder, target) for target in TARGETS}
    (version,) = {version_of(archive) for archive in archives.values()}
    formula = formula.replace("VERSION", version)
    for target, archive in archives.items():
        formula = formula.replace(f"SHA256 of {target}", hashlib.sha256(archive.read_bytes()).hexdigest())
    made = folder / "switchhook.rb"
    made.write_text(formula)
    return made


def find(folder: Path, target: str) -> Path:
    found = sorted(folder.glob(f"switchhook-*-{target}.tar.gz"))
    if len(found) != 1:
        raise SystemExit(f"packages/build: {folder} has {len(found)} archives for {target}, and must have one")
    return found[0]


def version_of(archive: Path) -> str:
    return re.match(r"switchhook-(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)-(?:x86_64|aarch64)", archive.name)[1]
