"""The archive: the program with its manual, its completions and the files for a server."""

import gzip
import io
import tarfile
from pathlib import Path

from .program import EPOCH, LICENSES, ROOT, Program


def make(program: Program, folder: Path) -> list[Path]:
    name = f"switchhook-{program.version}-{program.target.triple}"
    contents = {"switchhook": program.path.read_bytes()}
    contents |= {f"share/{path}": data for path, data in program.shared().items()}
    for path in ["README.md", "CHANGELOG.md", *LICENSES]:
        contents[path] = (ROOT / path).read_bytes()
    for path in sorted((ROOT / "deploy").rglob("*")):
        if path.is_file():
            contents[str(path.relative_to(ROOT))] = path.read_bytes()
    made = folder / f"{name}.tar.gz"
    made.write_bytes(packed(name, contents))
    return [made]


def packed(name: str, contents: dict[str, bytes]) -> bytes:
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, data in contents.items():
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size, entry.mtime = len(data), EPOCH
            entry.mode = 0o755 if path == "switchhook" else 0o644
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(tar.getvalue(), compresslevel=6, mtime=EPOCH)
