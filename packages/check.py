"""Builds the packages, installs them from their files, and runs everything there is to run with them.

    python3 packages/check.py --install    installs what the checks need, with npm and pip, into target/packages
    python3 packages/check.py --probe      succeeds if that is there
    python3 packages/check.py              runs the checks; a step of `cargo xtask check`

Needs npm and Python's venv. Redis is asked if `redis-server` is there, the Go module is checked if `go` is, and Python 3.9 runs the
Python package too if it was there when the rest was installed.
"""

import contextlib
import hashlib
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

PACKAGES = pathlib.Path(__file__).resolve().parent
ROOT = PACKAGES.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve() / "packages"
NODE = TARGET / "node"
VENV = TARGET / "venv"
PYTHON = VENV / "bin/python"
OLDEST_VENV = TARGET / "venv-oldest"
DONE = TARGET / "installed"
VECTORS = PACKAGES / "vectors.json"
#: Built by `cargo xtask strangers`.
SWITCHHOOK = TARGET.parent / "debug/switchhook"
PINS = [PACKAGES / "check" / name for name in ("package.json", "requirements.txt", "requirements-oldest.txt")]

#: What the npm package may have, unpacked, in bytes: its core, which is code and types without adapters and without the types of
#: events, and all of it.
MOST_OF_CORE = 30_000
MOST_OF_ALL = 55_000


def say(text):
    print(f"packages: {text}", flush=True)


def run(*command, cwd=ROOT, **environment):
    words = [str(word) for word in command]
    subprocess.run(words, cwd=cwd, env={**os.environ, **environment}, check=True)


def pins():
    return hashlib.sha256(b"".join(path.read_bytes() for path in PINS)).hexdigest()


def install():
    if is_installed():
        return say("everything is installed already")
    shutil.rmtree(TARGET, ignore_errors=True)
    NODE.mkdir(parents=True)
    shutil.copy(PINS[0], NODE)
    run("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", cwd=NODE)
    make_venv(sys.executable, VENV, PINS[1])
    oldest = oldest_python()
    if oldest:
        make_venv(oldest, OLDEST_VENV, PINS[2])
    # Deno and Bun fetch their programs when they are first called.
    run("npx", "deno", "--version", cwd=NODE)
    run("npx", "bun", "--version", cwd=NODE)
    DONE.write_text(pins())


def make_venv(python, folder, requirements):
    run(python, "-m", "venv", folder)
    run(folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements)


def oldest_python():
    """Python 3.9, the oldest that the package is for, by whichever way it was installed."""
    installed = sorted(pathlib.Path.home().glob(".pyenv/versions/3.9.*/bin/python"))
    for python in [shutil.which("python3.9"), *installed]:
        probe = [python, "-c", "import sys, venv; sys.exit(sys.version_info[:2] != (3, 9))"]
        if python and subprocess.run(probe, capture_output=True).returncode == 0:
            return python
    return None


def is_installed():
    return DONE.exists() and DONE.read_text() == pins()


def check_generated():
    run(sys.executable, PACKAGES / "make_vectors.py", "--check")
    run(PYTHON, PACKAGES / "make_types.py", "--check")


def pack_typescript():
    """The package as npm would publish it, installed where the frameworks are."""
    source = TARGET / "typescript"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(PACKAGES / "typescript", source, ignore=shutil.ignore_patterns("node_modules", "dist", "*.tgz"))
    (source / "node_modules").symlink_to(NODE / "node_modules")
    run("npm", "pack", "--silent", cwd=source)
    (packed,) = source.glob("*.tgz")
    run("npm", "install", "--no-save", "--offline", "--no-audit", "--no-fund", "--loglevel=error", packed, cwd=NODE)
    check_size(NODE / "node_modules/@switchhook/receiver")
    return packed


def check_size(package):
    sizes = {path.name: path.stat().st_size for path in package.rglob("*") if path.is_file()}
    code, types = (sum(sizes[name] for name in pieces(package / "dist", ending)) for ending in (".js", ".d.ts"))
    of_events, whole = sizes["events.d.ts"], sum(sizes.values())
    core = code + types - of_events
    say(f"the npm package has {whole} bytes unpacked; its core {core}, of which code {code}; the types of events {of_events}")
    if core > MOST_OF_CORE or whole > MOST_OF_ALL:
        sys.exit(f"more than {MOST_OF_CORE} and {MOST_OF_ALL} were meant")


def pieces(folder, ending):
    """The core's own file, and those that it is made of."""
    found = ["index" + ending]
    for name in found:
        named = re.findall(r'"\./([\w-]+)\.js"', (folder / name).read_text())
        found += [piece for piece in dict.fromkeys(one + ending for one in named) if piece not in found]
    return found


def check_typescript(packed, redis_url):
    empty = fresh("empty-node")
    (empty / "package.json").write_text('{"name": "empty", "private": true, "type": "module"}\n')
    run("npm", "install", "--offline", "--no-audit", "--no-fund", "--loglevel=error", packed, cwd=empty)
    for folder in (empty, NODE):
        for name in ("test", "examples"):
            shutil.rmtree(folder / name, ignore_errors=True)
            shutil.copytree(PACKAGES / "typescript" / name, folder / name)
    for runtime in (["node"], [binary("deno"), "run", "-A"], [binary("bun")]):
        run(*runtime, "test/vectors.mjs", VECTORS, cwd=empty)
    # Of the package's own types all are checked, of the frameworks' none.
    run("npx", "tsc", "-p", "test", cwd=NODE)
    run("npx", "tsc", "-p", "test/frameworks.json", cwd=NODE)
    run("node", "--test", "--test-reporter=dot", *sorted((NODE / "test").glob("*.test.mjs")), cwd=NODE)
    folder = fresh("stores")
    run(binary("deno"), "run", "-A", "--unstable-kv", "test/stores.mjs", folder, *redis_url, cwd=NODE)


def binary(name):
    return NODE / "node_modules/.bin" / name


def fresh(name):
    folder = TARGET / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def build_wheel():
    out = fresh("wheel")
    run(PYTHON, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, PACKAGES / "python", cwd=TARGET)
    (wheel,) = out.glob("*.whl")
    for venv in filter(pathlib.Path.exists, (VENV, OLDEST_VENV)):
        pip = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run(*pip, "--no-deps", "--force-reinstall", wheel)
    return wheel


def check_python(wheel, redis_url):
    empty = fresh("empty-python")
    run(sys.executable, "-m", "venv", empty)
    run(empty / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", wheel)
    tests = PACKAGES / "python/tests"
    environment = {"SWITCHHOOK_VECTORS": str(VECTORS), "PYTHONDONTWRITEBYTECODE": "1"}
    run(empty / "bin/python", "-m", "unittest", "test_vectors", "test_receiver", cwd=tests, **environment)
    if redis_url:
        environment["SWITCHHOOK_TEST_REDIS"] = redis_url[0]
    run(PYTHON, "-W", "ignore", "-m", "unittest", cwd=tests, **environment)
    if OLDEST_VENV.exists():
        run(OLDEST_VENV / "bin/python", "-W", "ignore", "-m", "unittest", cwd=tests, **environment)
    else:
        say("Python 3.9 is not here: only vermin says that the package is for it")
    source = PACKAGES / "python/src"
    run(binary_of_python("vermin"), "--quiet", "--target=3.9-", "--no-tips", "--eval-annotations", source)
    cache = f"--cache-dir={TARGET / 'mypy'}"
    run(binary_of_python("mypy"), cache, "--strict", "--ignore-missing-imports", "--python-version=3.10", source)


def binary_of_python(name):
    return VENV / "bin" / name


def check_go():
    if not shutil.which("go"):
        return say("`go` is not here: the Go module is left out")
    folder = PACKAGES / "go"
    if subprocess.run(["gofmt", "-l", "."], cwd=folder, check=True, capture_output=True, text=True).stdout:
        sys.exit("packages: run gofmt -w packages/go")
    run("go", "vet", "./...", cwd=folder)
    run("go", "test", "-count=1", "./...", cwd=folder)


def check_receivers():
    """Every scenario with every fault, to both packages in each runtime."""
    for name in ("keeps.mjs", "keeps.py", "receivers.toml"):
        shutil.copy(PACKAGES / "check" / name, NODE)
    run("cargo", "xtask", "strangers", NODE, GO_MODULE=str(PACKAGES / "go"))


def check_recipes():
    """The programs of docs/recipes, cut out of their pages: every scenario with every fault, to each of them."""
    folder = NODE / "recipes"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    fence = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
    for page in sorted((ROOT / "docs/recipes").glob("*.md")):
        for name, code in fence.findall(page.read_text(encoding="utf-8")):
            path = folder / page.stem / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code, encoding="utf-8")
    shutil.copy(ROOT / "docs/recipes/n8n-workflow.json", folder / "n8n")
    for path in (PACKAGES / "check/recipes").iterdir():
        shutil.copy(path, folder)
    shutil.copy(ROOT / "docs/recipes/receivers.toml", folder)
    run("node", "--test", "--test-reporter=dot", "no-code.test.mjs", cwd=folder, VECTORS=str(VECTORS))
    run("npx", "next", "build", cwd=folder / "nextjs", NEXT_TELEMETRY_DISABLED="1")
    run("cargo", "xtask", "strangers", folder, VENV=str(VENV), NEXT_TELEMETRY_DISABLED="1")


def check_dev():
    """Both packages in each runtime beside `switchhook dev --forward`, set up as the recipes say."""
    for words in (["node", "keeps.mjs"], [binary("deno"), "run", "-A", "keeps.mjs"], [binary("bun"), "keeps.mjs"], [PYTHON, "keeps.py"]):
        hook, listen = free_port(), free_port()
        with tempfile.TemporaryDirectory() as folder:
            options = ["--events", "5", "--rate", "20", "--listen", f"127.0.0.1:{listen}", "--dir", f"{folder}/dev"]
            command = [SWITCHHOOK, "dev", "--forward", f"http://127.0.0.1:{hook}/hook", *options]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as dev:
                secret = next(line for line in dev.stdout if line.startswith("SECRET=")).removeprefix("SECRET=")
                variables = {"PORT": str(hook), "SECRET": shlex.split(secret)[0], "KEPT": f"{folder}/kept"}
                receiver = subprocess.Popen([str(word) for word in words], cwd=NODE, env={**os.environ, **variables})
                try:
                    dev.communicate(timeout=120)
                finally:
                    receiver.kill()
                    receiver.wait()
            if dev.returncode != 0 or len(pathlib.Path(folder, "kept").read_text().splitlines()) < 5:
                sys.exit(f"packages: `dev --forward` ended with {dev.returncode} beside {words[0]}")
    say("each receiver got five events of `switchhook dev --forward`")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def check_mcp():
    """`switchhook mcp`, asked by the official Python SDK."""
    run(PYTHON, PACKAGES / "check/mcp_session.py", SWITCHHOOK)


@contextlib.contextmanager
def redis():
    """The URL of a server, in a list; an empty one where there is none."""
    if not shutil.which("redis-server"):
        say("`redis-server` is not here: the examples for Redis are left out")
        yield []
        return
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            next(line for line in server.stdout if "Ready to accept connections" in line)
            yield [f"redis://127.0.0.1:{port}"]
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate()


def check():
    if not is_installed():
        sys.exit("not installed: run python3 packages/check.py --install")
    check_generated()
    packed, wheel = pack_typescript(), build_wheel()
    with redis() as redis_url:
        check_typescript(packed, redis_url)
        check_python(wheel, redis_url)
    check_go()
    check_receivers()
    check_recipes()
    check_dev()
    check_mcp()
    say("all right")


def main():
    argument = sys.argv[1:]
    if argument == ["--install"]:
        install()
    elif argument == ["--probe"]:
        sys.exit(0 if is_installed() else 1)
    elif argument == []:
        try:
            check()
        except subprocess.CalledProcessError as error:
            sys.exit(f"packages: failed: {' '.join(error.cmd)}")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
