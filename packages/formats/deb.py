"""The Debian package: the program, its service and user, a configuration file, the manual and completions."""

import gzip
import os
import shutil
import subprocess
from pathlib import Path

from .program import EPOCH, LICENSES, ROOT, Program

DEB = ROOT / "packages/deb"
SCRIPTS = ["postinst", "prerm", "postrm"]
DOCS = ["README.md", "deploy/nginx.conf", "deploy/prometheus/alerts.yml"]

# What only the server's group may read: it may hold credentials. The scripts give it that group.
PRIVATE = {"/etc/switchhook.toml": 0o640}


def make(program: Program, folder: Path) -> list[Path]:
    tree = program.work / "deb"
    files = contents(program)
    for path, data in files.items():
        put(tree, path, data, PRIVATE.get(path, 0o755 if path.startswith("/usr/bin/") else 0o644))
    (tree / "var/lib/switchhook").mkdir(parents=True, mode=0o700)
    size = sum(len(data) for data in files.values()) // 1024
    about = (DEB / "control").read_text().format(
        version=program.version,
        architecture=program.target.debian,
        libc=program.target.libc,
        size=size,
    )
    put(tree, "/DEBIAN/control", about.encode(), 0o644)
    put(tree, "/DEBIAN/conffiles", "".join(f"{path}\n" for path in PRIVATE).encode(), 0o644)
    for script in SCRIPTS:
        put(tree, f"/DEBIAN/{script}", (DEB / script).read_bytes(), 0o755)
    made = folder / f"switchhook_{program.version}_{program.target.debian}.deb"
    command = ["dpkg-deb", "--build", "--root-owner-group", "-Zgzip", tree, made]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(EPOCH)}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    shutil.rmtree(tree)
    return [made]


def contents(program: Program) -> dict[str, bytes]:
    files = {
        "/usr/bin/switchhook": program.path.read_bytes(),
        "/etc/switchhook.toml": (DEB / "switchhook.toml").read_bytes(),
        "/usr/share/doc/switchhook/copyright": copyright_file(),
        "/usr/share/doc/switchhook/changelog.gz": packed((ROOT / "CHANGELOG.md").read_bytes()),
    }
    for path, data in program.shared().items():
        is_page = path.startswith("man/")
        where = path.replace("zsh/site-functions", "zsh/vendor-completions")
        files[f"/usr/share/{where}{'.gz' if is_page else ''}"] = packed(data) if is_page else data
    for name in ["switchhook.service", "switchhook.socket", "switchhook@.service"]:
        unit = (ROOT / "deploy" / name).read_text().replace("/usr/local/bin/", "/usr/bin/")
        files[f"/usr/lib/systemd/system/{name}"] = unit.encode()
    for path in DOCS:
        files[f"/usr/share/doc/switchhook/{path.rsplit('/', 1)[-1]}"] = (ROOT / path).read_bytes()
    return files


def copyright_file() -> bytes:
    return b"\n".join([b"Switchhook is licensed under MIT or Apache-2.0, at your choice.\n"]
                      + [(ROOT / path).read_bytes() for path in LICENSES])


def packed(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=9, mtime=EPOCH)


def put(tree: Path, path: str, data: bytes, mode: int) -> None:
    file = tree / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    file.chmod(mode)
