# SPDX-License-Identifier: BSD-3-Clause
import gzip
import hashlib
import http.server
import threading

import pytest

from bonn_hw.errors import UserError
from bonn_hw.nn import fetch

CONTENT = {plain: plain.encode() for plain in fetch.FASHION_SHA256}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sums = {plain: hashlib.sha256(content).hexdigest() for plain, content in CONTENT.items()}
    monkeypatch.setattr(fetch, "FASHION_SHA256", sums)
    monkeypatch.setattr(fetch.shutil, "which", lambda name: None)
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

    monkeypatch.setattr(fetch, "_sources", lambda: [("a source", interrupted)])
    with pytest.raises(KeyboardInterrupt):
        fetch.fetch("fashion-mnist")
    assert list(cache.iterdir()) == []


def test_only_fashion_mnist_can_be_fetched():
    with pytest.raises(UserError) as error:
        fetch.fetch("cifar10")
    assert str(error.value) == "data set 'cifar10' cannot be fetched; only fashion-mnist can"
