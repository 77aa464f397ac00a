"""The npm packages: `switchhook`, which is a few lines of JavaScript, and one with the program for this machine. npm installs of
the latter only the one that fits (`optionalDependencies` with `os` and `cpu`), so that no script runs at the installation."""

import json
import shutil
import subprocess
from pathlib import Path

from .program import HOME, LICENSES, ROOT, SUMMARY, Program

# Those that a release brings.
MACHINES = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"]


def make(program: Program, folder: Path) -> list[Path]:
    return [pack(main(program), folder), pack(machine(program), folder)]


def main(program: Program) -> Path:
    package = stage(program, "npm")
    shutil.copytree(ROOT / "packages/npm", package, dirs_exist_ok=True)
    pages = package / "man"
    pages.mkdir()
    for page in program.pages():
        shutil.copy(page, pages)
    completions = package / "completions"
    completions.mkdir()
    for shell, text in program.completions.items():
        (completions / f"switchhook.{shell}").write_text(text)
    about = json.loads((package / "package.json").read_text())
    about["version"] = program.version
    about["man"] = [f"man/{page.name}" for page in program.pages()]
    about["optionalDependencies"] = {f"@switchhook/{machine}": program.version for machine in MACHINES}
    write(package, about)
    return package


def machine(program: Program) -> Path:
    name = f"{program.target.system}-{program.target.processor}"
    package = stage(program, f"npm-{name}")
    (package / "bin").mkdir()
    shutil.copy(program.path, package / "bin/switchhook")
    about = {
        "name": f"@switchhook/{name}",
        "version": program.version,
        "description": f"The program of the package switchhook for {name}",
        "license": "MIT OR Apache-2.0",
        "repository": {"type": "git", "url": f"git+{HOME}.git"},
        "os": [program.target.system],
        "cpu": [program.target.processor],
        "preferUnplugged": True,
        "files": ["bin", *LICENSES],
    }
    if program.target.libc:
        about["libc"] = ["glibc"]
    write(package, about)
    (package / "README.md").write_text(f"# @switchhook/{name}\n\n{SUMMARY}: the program for {name}. Install `switchhook`.\n")
    return package


def stage(program: Program, name: str) -> Path:
    package = program.work / name
    package.mkdir()
    for path in LICENSES:
        shutil.copy(ROOT / path, package)
    return package


def write(package: Path, about: dict) -> None:
    (package / "package.json").write_text(json.dumps(about, indent=2) + "\n")


def pack(package: Path, folder: Path) -> Path:
    command = ["npm", "pack", "--json", "--silent", "--ignore-scripts", "--pack-destination", folder]
    said = subprocess.run(command, cwd=package, check=True, capture_output=True, text=True)
    packs = json.loads(said.stdout)
    # npm 11 answers a list; later ones an object by name.
    pack = packs[0] if isinstance(packs, list) else next(iter(packs.values()))
    return folder / pack["filename"]
