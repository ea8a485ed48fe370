# SPDX-License-Identifier: BSD-3-Clause
import gzip
import hashlib
import http.server
import io
import os
import sys
import tarfile
import threading
from dataclasses import replace

import pytest

from bonn_hw.errors import UserError
from bonn_hw.nn.data import datasets, fetch


def package_lies_in(monkeypatch, *folders):
    """Say in which folders Debian's package has put the files."""
    source = replace(datasets.SOURCES["fashion-mnist"], installed=folders)
    monkeypatch.setitem(datasets.SOURCES, "fashion-mnist", source)


CONTENT = {plain: plain.encode() for plain in fetch.FASHION_SHA256}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sums = {plain: hashlib.sha256(content).hexdigest() for plain, content in CONTENT.items()}
    monkeypatch.setattr(fetch, "FASHION_SHA256", sums)
    monkeypatch.setattr(fetch.shutil, "which", lambda name: None)
    package_lies_in(monkeypatch)
    return tmp_path / "cache/bonn_hw"


@pytest.fixture
def mirror(tmp_path):
    """Serve a folder of the four files on this machine; yields folder and address."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    for plain, content in CONTENT.items():
        (folder / f"{plain}.gz").write_bytes(gzip.compress(content))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=folder)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_fetches_from_the_second_mirror_and_keeps_what_is_there(cache, mirror, monkeypatch):
    _, address = mirror
    monkeypatch.setattr(fetch, "FASHION_MIRRORS", (f"{address}/absent", address))
    lines = []
    target = fetch.fetch("fashion-mnist", lines.append)
    assert target == cache / "fashion-mnist"
    assert sorted(f.name for f in target.iterdir()) == sorted(fetch.FILES)
    assert [f.name for f in cache.iterdir()] == ["fashion-mnist"]
    assert lines[1] == "  train-images-idx3-ubyte.gz: File not found"
    fetch.fetch("fashion-mnist", lines.append)
    assert lines[-1] == f"fashion-mnist: already in {target}"


def test_an_installed_package_is_taken_as_it_is(cache, tmp_path, monkeypatch):
    """Nothing is fetched or copied: `load` looks there before it looks into the cache."""
    installed = tmp_path / "installed"
    installed.mkdir()
    for plain, content in CONTENT.items():
        (installed / f"{plain}.gz").write_bytes(gzip.compress(content))
    package_lies_in(monkeypatch, str(tmp_path / "no"), str(installed))
    lines = []
    assert fetch.fetch("fashion-mnist", lines.append) == installed
    assert lines == [f"fashion-mnist: already in {installed}"]
    assert not cache.exists()


# What stands in for apt-get: with package lists of our own it knows the package.
APT = """#!/bin/sh
echo "$@" >>{log}
case "$*" in
  *Dir::State::lists=*update) exit 0 ;;
  *{known}*download*) echo >package_1.deb ;;
  *) echo "E: Unable to locate package" >&2; exit 100 ;;
esac
"""
DPKG = """#!/bin/sh
cp -r {mirror} "$3"
"""


@pytest.fixture
def apt(cache, mirror, tmp_path, monkeypatch):
    """Put an apt-get on PATH; returns what makes it know the package, and its log."""
    folder, _ = mirror
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "dpkg-deb").write_text(DPKG.format(mirror=folder))
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
    sums = {plain: hashlib.sha256(content).hexdigest() for plain, content in CONTENT.items()}
    monkeypatch.setattr(fetch, "FASHION_SHA256", sums)
    package_lies_in(monkeypatch)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    def install(known):
        log = tmp_path / "log"
        (programs / "apt-get").write_text(APT.format(log=log, known=known))
        for program in programs.iterdir():
            program.chmod(0o755)
        return log

    return install


@pytest.mark.parametrize(
    ("known", "calls"),
    [("Acquire::", ["download"]), ("Dir::State::lists=", ["download", "update", "download"])],
)
def test_apt_is_asked_before_the_web(apt, cache, monkeypatch, known, calls):
    log = apt(known)
    monkeypatch.setattr(fetch, "FASHION_MIRRORS", ())
    lines = []
    target = fetch.fetch("fashion-mnist", lines.append)
    assert sorted(f.name for f in target.iterdir()) == sorted(fetch.FILES)
    assert lines[0] == "fashion-mnist: from apt-get download dataset-fashion-mnist"
    done = [line.split() for line in log.read_text().splitlines()]
    assert [next(w for w in words if w in ("download", "update")) for words in done] == calls


def test_the_web_is_asked_where_apt_has_nothing(apt, cache, mirror, monkeypatch):
    apt("nothing-known")
    monkeypatch.setattr(fetch, "FASHION_MIRRORS", (mirror[1],))
    lines = []
    fetch.fetch("fashion-mnist", lines.append)
    assert lines[1] == "  E: Unable to locate package"
    assert lines[2] == f"fashion-mnist: from {mirror[1]}"


def test_wrong_checksum_leaves_nothing(cache, mirror, monkeypatch):
    folder, address = mirror
    wrong = hashlib.sha256(b"other").hexdigest()
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"other"))
    monkeypatch.setattr(fetch, "FASHION_MIRRORS", (address,))
    with pytest.raises(UserError) as error:
        fetch.fetch("fashion-mnist")
    right = fetch.FASHION_SHA256["t10k-labels-idx1-ubyte"]
    assert str(error.value) == (
        f"data set fashion-mnist: no source delivered it ({address}: t10k-labels-idx1-ubyte.gz: "
        f"SHA-256 of its content is {wrong}, not {right}); check the network, or put its four .gz "
        f"files into {cache / 'fashion-mnist'}"
    )
    assert list(cache.iterdir()) == []


def test_incomplete_folder_is_replaced(cache, mirror, monkeypatch):
    _, address = mirror
    monkeypatch.setattr(fetch, "FASHION_MIRRORS", (address,))
    stale = cache / "fashion-mnist"
    stale.mkdir(parents=True)
    (stale / fetch.FILES[0]).write_bytes(b"half")
    fetch.fetch("fashion-mnist")
    assert sorted(f.name for f in stale.iterdir()) == sorted(fetch.FILES)
    assert [f.name for f in cache.iterdir()] == ["fashion-mnist"]


def test_interruption_leaves_nothing(cache, monkeypatch):
    def interrupted(folder):
        (folder / "half").write_bytes(b"x")
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "_sources", lambda *_: [("a source", interrupted)])
    with pytest.raises(KeyboardInterrupt):
        fetch.fetch("fashion-mnist")
    assert list(cache.iterdir()) == []


def test_names_and_options_that_do_not_go():
    with pytest.raises(UserError) as error:
        fetch.fetch("mnist")
    assert str(error.value) == (
        "data set 'mnist' cannot be fetched; choose one of fashion-mnist, cifar10, cifar100"
    )
    with pytest.raises(UserError) as error:
        fetch.fetch("fashion-mnist", archive="own.tar.gz")
    assert str(error.value) == (
        "data set fashion-mnist: --from takes an archive of cifar10 or cifar100, and "
        "fashion-mnist has none; leave it out"
    )


RECORDS = {"cifar10": bytes([7]) + bytes(3072), "cifar100": bytes([1, 42]) + bytes(3072)}


def changed(monkeypatch, name, **fields):
    monkeypatch.setitem(fetch.ARCHIVES, name, replace(fetch.ARCHIVES[name], **fields))


@pytest.fixture(params=["cifar10", "cifar100"])
def archive(request, tmp_path, monkeypatch):
    """Make one of CIFAR's archives, with one image a file and members that have no business."""
    name = request.param
    path = tmp_path / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as content:
        for member in ("../outside.bin", "readme.html", *reversed(fetch._members(name))):
            facts = tarfile.TarInfo(member)
            facts.size = len(RECORDS[name])
            content.addfile(facts, io.BytesIO(RECORDS[name]))
    changed(monkeypatch, name, md5=hashlib.md5(path.read_bytes()).hexdigest())
    return name, path


def test_own_archive_is_installed_where_load_finds_it(cache, archive):
    name, path = archive
    lines = []
    target = fetch.fetch(name, lines.append, path)
    assert target == cache / name
    files = [member.rpartition("/")[2] for member in fetch._members(name)]
    assert sorted(f.name for f in target.iterdir()) == sorted([*files, "SHA256SUMS"])
    assert [f.name for f in cache.iterdir()] == [name]
    assert not list(cache.rglob("outside.bin"))
    label = RECORDS[name][-3073]
    assert datasets.load(name, "train").labels.tolist() == [label] * (len(files) - 1)
    assert datasets.load(name, "test").labels.tolist() == [label]
    assert lines == [f"{name}: from {path}", f"{name}: checksums good, in {target}"]
    fetch.fetch(name, lines.append)
    assert lines[-1] == f"{name}: already in {target}"


def test_damaged_files_are_fetched_again(cache, archive):
    name, path = archive
    file = fetch.fetch(name, archive=path) / fetch._members(name)[0].rpartition("/")[2]
    file.write_bytes(b"half")
    fetch.fetch(name, archive=path)
    assert file.read_bytes() == RECORDS[name]


def test_archive_is_downloaded(cache, archive, monkeypatch):
    name, path = archive
    changed(monkeypatch, name, folder=path.parent.as_uri(), file=path.name)
    fetch.fetch(name)
    assert len(datasets.load(name, "test")) == 1
    assert not list((cache / name).glob("*.tar.gz"))


def test_archive_that_is_not_there_to_download(cache, tmp_path, monkeypatch):
    changed(monkeypatch, "cifar10", folder=tmp_path.as_uri())
    with pytest.raises(UserError) as error:
        fetch.fetch("cifar10")
    message = str(error.value)
    address = f"{tmp_path.as_uri()}/cifar-10-binary.tar.gz"
    start = f"data set cifar10: no source delivered it ({address}: cifar-10-binary.tar.gz: "
    assert message.startswith(start)
    assert message.endswith(
        "); check the network, or add --from FILE with your own copy of cifar-10-binary.tar.gz"
    )
    assert list(cache.iterdir()) == []


def test_other_archive_is_refused_and_leaves_nothing(cache, archive, monkeypatch, capsys):
    name, path = archive
    right = fetch.ARCHIVES[name].md5
    path.write_bytes(path.read_bytes() + b"x")
    wrong = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(sys, "argv", ["fetch", name, "--from", str(path)])
    assert fetch.main() == 2
    assert capsys.readouterr().err == (
        f"error: {path}: its MD5 is {wrong}, not {right}; give "
        f"https://www.cs.toronto.edu/~kriz/{fetch.ARCHIVES[name].file} as it is published\n"
    )
    assert list(cache.iterdir()) == []


def test_absent_archive(cache, tmp_path):
    with pytest.raises(UserError) as error:
        fetch.fetch("cifar10", archive=tmp_path / "no")
    assert str(error.value) == (
        f"{tmp_path / 'no'}: cannot be read (No such file or directory); give "
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz as it is published"
    )
