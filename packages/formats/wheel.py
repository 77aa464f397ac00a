"""The wheel: the program as a script of a package without any Python, as maturin's `bindings = "bin"` makes it. It is put together
here so that it has the very program that the other packages have, instead of one that is compiled again."""

import base64
import hashlib
import io
import time
import zipfile
from pathlib import Path

from .program import EPOCH, HOME, LICENSES, ROOT, SUMMARY, Program

PYTHON = "py3-none"


def make(program: Program, folder: Path) -> list[Path]:
    name = f"switchhook-{program.version}"
    info, data = f"{name}.dist-info", f"{name}.data"
    contents = {f"{data}/scripts/switchhook": program.path.read_bytes()}
    contents |= {f"{data}/data/share/{path}": text for path, text in program.shared().items()}
    contents[f"{info}/METADATA"] = metadata(program)
    contents[f"{info}/WHEEL"] = wheel(program)
    for path in LICENSES:
        contents[f"{info}/licenses/{path}"] = (ROOT / path).read_bytes()
    record = f"{info}/RECORD"
    lines = [f"{path},sha256={digest(text)},{len(text)}" for path, text in contents.items()]
    contents[record] = ("\n".join([*lines, f"{record},,"]) + "\n").encode()
    made = folder / f"{name}-{PYTHON}-{program.target.wheel}.whl"
    made.write_bytes(packed(contents))
    return [made]


def metadata(program: Program) -> bytes:
    lines = [
        "Metadata-Version: 2.4",
        "Name: switchhook",
        f"Version: {program.version}",
        f"Summary: {SUMMARY}",
        "License-Expression: MIT OR Apache-2.0",
        *[f"License-File: {path}" for path in LICENSES],
        "Keywords: dialpad,webhook,webhooks,events,testing,simulator",
        "Requires-Python: >=3.8",
        f"Project-URL: Source, {HOME}",
        "Description-Content-Type: text/markdown",
        "",
        (ROOT / "packages/wheel/README.md").read_text(),
    ]
    return "\n".join(lines).encode()


def wheel(program: Program) -> bytes:
    tags = [f"Tag: {PYTHON}-{platform}" for platform in program.target.wheel.split(".")]
    lines = ["Wheel-Version: 1.0", "Generator: switchhook packages/build", "Root-Is-Purelib: false", *tags, ""]
    return "\n".join(lines).encode()


def digest(text: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()


def packed(contents: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in contents.items():
            entry = zipfile.ZipInfo(path, time.gmtime(EPOCH)[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            is_program = "/scripts/" in path
            entry.external_attr = (0o100755 if is_program else 0o100644) << 16
            archive.writestr(entry, text)
    return whole.getvalue()
