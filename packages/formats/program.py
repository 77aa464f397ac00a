"""The program that is packed: what it says of itself, which machine it is for, and what goes with it."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LICENSES = ["LICENSE-MIT", "LICENSE-APACHE"]
SUMMARY = "The Dialpad webhook event system as open, self-hosted software"
HOME = "https://github.com/switchhook/switchhook"

# When everything in a package was changed last: the same program gives the same package.
EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "1767225600"))


@dataclass(frozen=True)
class Target:
    """A machine, as each format calls it."""

    system: str  # linux or darwin, as Node calls it
    processor: str  # x64 or arm64, as Node calls it
    triple: str  # as Rust calls it
    wheel: str  # as PyPI calls it
    debian: str | None  # as Debian calls it, where the program needs Debian's C library
    libc: str | None  # the version of the GNU C library that it needs, if it needs one

    @property
    def formats(self) -> list[str]:
        return ["archive", "npm", "wheel"] + (["deb"] if self.debian else [])


class Program:
    """The program, and in a folder of ours a copy of it with its manual and its completions."""

    def __init__(self, path: Path, work: Path):
        self.work = work
        self.path = work / "switchhook"
        shutil.copy(path, self.path)
        self.path.chmod(0o755)
        self.target = target_of(self.path.read_bytes())
        self.version = self._says("--version").split()[1]
        self.manual = work / "man1"
        self._says("man", str(self.manual))
        self.completions = {
            shell: self._says("completions", shell) for shell in ["bash", "zsh", "fish"]
        }

    def _says(self, *words: str) -> str:
        said = subprocess.run([self.path, *words], check=True, capture_output=True, text=True)
        return said.stdout

    def pages(self) -> list[Path]:
        return sorted(self.manual.iterdir())

    def shared(self) -> dict[str, bytes]:
        """What stands below /usr/share, by its path there."""
        where = {
            "bash": "bash-completion/completions/switchhook",
            "zsh": "zsh/site-functions/_switchhook",
            "fish": "fish/vendor_completions.d/switchhook.fish",
        }
        files = {f"man/man1/{page.name}": page.read_bytes() for page in self.pages()}
        files |= {where[shell]: text.encode() for shell, text in self.completions.items()}
        return files


def target_of(program: bytes) -> Target:
    """Reads off a program which machine it is for."""
    if program[:4] == b"\x7fELF":
        processor = {0x3E: "x64", 0xB7: "arm64"}[int.from_bytes(program[18:20], "little")]
        return linux(processor, glibc_of(program))
    if program[:4] == b"\xcf\xfa\xed\xfe":
        processor = {7: "x64", 12: "arm64"}[program[4]]
        return darwin(processor)
    raise SystemExit("packages/build: this is a program neither for Linux nor for macOS")


def linux(processor: str, libc: tuple[int, int] | None) -> Target:
    machine = {"x64": "x86_64", "arm64": "aarch64"}[processor]
    if libc is None:
        # It is linked statically, so that it runs beside any C library.
        tags = f"manylinux_2_17_{machine}.manylinux2014_{machine}.musllinux_1_1_{machine}"
        return Target("linux", processor, f"{machine}-unknown-linux-musl", tags, None, None)
    major, minor = libc
    return Target(
        "linux",
        processor,
        f"{machine}-unknown-linux-gnu",
        f"manylinux_{major}_{minor}_{machine}",
        {"x64": "amd64", "arm64": "arm64"}[processor],
        f"{major}.{minor}",
    )


def darwin(processor: str) -> Target:
    machine, system = {"x64": ("x86_64", "10_12"), "arm64": ("aarch64", "11_0")}[processor]
    wheel = f"macosx_{system}_{machine.replace('aarch64', 'arm64')}"
    return Target("darwin", processor, f"{machine}-apple-darwin", wheel, None, None)


def glibc_of(program: bytes) -> tuple[int, int] | None:
    """The oldest GNU C library that has all that the program asks for; none if it asks for nothing."""
    asked = re.findall(rb"\0GLIBC_(\d+)\.(\d+)(?=[.\0])", program)
    return max(((int(major), int(minor)) for major, minor in asked), default=None)
