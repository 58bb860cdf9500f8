"""The data sets: what they contain, where they are looked for, and what a bad or missing file leads to."""

import gzip
import hashlib
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch

from course import data, fetch, glyphs
from course.data import DataUnavailable

TRAIN, TEST = 60, 40  # images in the small stand-in for MNIST
DEAD = "http://127.0.0.1:1/"  # nobody listens on port 1


def idx(array: np.ndarray) -> bytes:
    """Write an array of uint8 as an IDX file."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def small_contents(seed: int) -> dict[str, bytes]:
    rng = np.random.default_rng(seed)
    contents = {}
    for part, n in (("train", TRAIN), ("test", TEST)):
        contents[f"x_{part}"] = idx(rng.integers(0, 256, (n, 28, 28), dtype=np.uint8))
        contents[f"y_{part}"] = idx(rng.integers(0, 10, n, dtype=np.uint8))
    return contents


MNIST = small_contents(seed=0)
FASHION = small_contents(seed=1)
FILE = data.IDX_NAMES["x_train"]


def register(monkeypatch, *mirrors: str) -> None:
    """Make the registry expect the small contents, with these mirrors."""
    for name, contents in (("mnist", MNIST), ("fashion_mnist", FASHION)):
        checksums = {role: hashlib.sha256(content).hexdigest() for role, content in contents.items()}
        monkeypatch.setitem(data.REGISTRY, name, data._idx_files(name, mirrors, checksums))


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """An empty cache, no COURSE_DATA, and mirrors that nobody answers at."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(fetch, "cache_folder", lambda: folder)
    monkeypatch.delenv("COURSE_DATA", raising=False)
    register(monkeypatch, DEAD)
    return folder


def write(folder, contents, packed=True):
    """Write the four files of a data set into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for role, name in data.IDX_NAMES.items():
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(contents[role]) if packed else contents[role])


@pytest.fixture
def course_data(monkeypatch, tmp_path):
    folder = tmp_path / "course_data"
    folder.mkdir()
    monkeypatch.setenv("COURSE_DATA", str(folder))
    return folder


class Mirror:
    """A web server on this machine that counts its answers and can break off in the middle of a file."""

    def __init__(self, contents=MNIST, break_off=0, resumes=True):
        self.files = {
            f"/{name}.gz": gzip.compress(contents[role], mtime=0) for role, name in data.IDX_NAMES.items()
        }
        self.break_off = break_off  # how many answers stop half-way
        self.resumes = resumes
        self.requests = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})

    def answer(self, handler):
        content = self.files.get(handler.path)
        asked = handler.headers.get("Range")
        self.requests.append((handler.path, asked))
        if content is None:
            handler.send_error(404)
            return
        resumed = asked is not None and self.resumes
        if resumed:
            content = content[int(asked.removeprefix("bytes=").rstrip("-")) :]
        handler.send_response(206 if resumed else 200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if self.break_off > 0:
            self.break_off -= 1
            content = content[: len(content) // 2]
        handler.wfile.write(content)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


# --- the embedded data sets


@pytest.mark.parametrize("name", ["digits", "glyphs"])
def test_embedded_data_is_small_pictures_in_unit_range(name):
    images = data.LOADERS[name]()
    assert images.name == name
    assert images.x_train.shape[1:] == images.x_test.shape[1:] == (1, 8, 8)
    assert images.x_train.dtype == torch.float32
    assert images.y_train.dtype == torch.int64
    assert images.x_train.min() == 0
    assert images.x_train.max() == 1
    assert images.classes == tuple("0123456789")
    assert len(images.x_train) == len(images.y_train)
    assert len(images.x_test) == len(images.y_test)


def test_digits_holds_every_picture_of_scikit_learn_once():
    from sklearn.datasets import load_digits

    images = data.digits()
    ours = torch.cat([images.x_train, images.x_test]).reshape(-1, 64) * 16
    theirs = torch.from_numpy(load_digits().data).float()
    assert sorted(map(tuple, ours.tolist())) == sorted(map(tuple, theirs.tolist()))


@pytest.mark.parametrize("name", ["digits", "glyphs"])
def test_the_split_has_a_fifth_of_every_class_in_the_test_set(name):
    images = data.LOADERS[name]()
    train, test = images.y_train.bincount(), images.y_test.bincount()
    assert torch.all((test / (train + test) - 0.2).abs() < 0.005)


@pytest.mark.parametrize("name", ["digits", "glyphs"])
def test_embedded_data_is_the_same_on_every_call(name):
    first, second = data.LOADERS[name](), data.LOADERS[name]()
    assert torch.equal(first.x_train, second.x_train)
    assert torch.equal(first.y_test, second.y_test)


def test_glyphs_are_readable_digits():
    """A nearest-neighbour classifier that knows printed digits only reads most others of them."""
    images = data.glyphs()
    x, y = images.x_train.flatten(1), images.y_train
    nearest = torch.cdist(images.x_test.flatten(1), x).argmin(dim=1)
    assert (y[nearest] == images.y_test).float().mean() > 0.95


def test_glyphs_keep_the_holes_of_a_digit():
    bitmap = glyphs.rasterize([polygon * (10, -14) + 16 for polygon in glyphs.outline("DejaVuSans", 0)])
    assert not bitmap[16, 16]
    assert bitmap[16, 7:11].any()
    assert bitmap[16, 21:26].any()


def test_rasterize_fills_a_square_by_its_pixel_centres():
    square = np.array([[1.0, 2.0], [4.0, 2.0], [4.0, 6.0], [1.0, 6.0]])
    bitmap = glyphs.rasterize([square], side=8)
    assert bitmap.sum() == 3 * 4
    assert bitmap[2:6, 1:4].all()


def test_block_counts_counts_black_pixels():
    bitmap = np.zeros((32, 32), dtype=bool)
    bitmap[0:4, 4:8] = True
    bitmap[31, 31] = True
    counts = glyphs.block_counts(bitmap)
    assert counts.shape == (8, 8)
    assert counts[0, 1] == 16
    assert counts[7, 7] == 1
    assert counts.sum() == 17


def test_data_is_put_on_the_device_that_is_asked_for():
    assert data.digits("meta").x_train.device.type == "meta"


# --- the IDX format


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4)])
def test_idx_files_are_read(shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    assert np.array_equal(data.parse_idx(idx(array), "file"), array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with nothing"),
        (b"<html>", "starts with 3c 68 74 6d"),
        (b"\x00\x00\x0d\x01" + bytes(8), "not an IDX file of bytes"),  # 0x0d: float
        (idx(np.zeros((2, 3), dtype=np.uint8))[:-1], r"17 bytes, but its header says \(2, 3\), which is 18"),
        (idx(np.zeros(3, dtype=np.uint8)) + b"\x00", "12 bytes, but its header"),
        (b"\x00\x00\x08\x03\x00", "but its header says"),
    ],
)
def test_a_wrong_idx_header_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        data.parse_idx(content, "some/file")


# --- COURSE_DATA


@pytest.mark.parametrize("packed", [True, False], ids=["gz", "plain"])
@pytest.mark.parametrize("subfolder", ["mnist", "."])
def test_course_data_holds_the_files_in_a_subfolder_or_directly_packed_or_plain(
    course_data, packed, subfolder
):
    write(course_data / subfolder, MNIST, packed)
    images = data.mnist()
    assert images.x_train.shape == (TRAIN, 1, 28, 28)
    assert images.y_test.shape == (TEST,)
    assert images.x_train.max() <= 1
    expected = data.parse_idx(MNIST["x_train"], "")[0, 0] / 255
    assert images.x_train[0, 0, 0].numpy() == pytest.approx(expected)


def test_mnist_and_fashion_mnist_are_not_taken_for_each_other(course_data):
    """Their files have the same names; directly in COURSE_DATA only the content tells them apart."""
    write(course_data, MNIST)
    assert data.available("mnist")
    assert not data.available("fashion_mnist")
    write(course_data / "fashion_mnist", FASHION)
    assert data.fashion_mnist().classes[0] == "T-shirt/top"


@pytest.mark.parametrize("damage", [lambda file: file[:-20], lambda file: file[:200], lambda file: b"junk"])
def test_a_damaged_file_in_course_data_is_named_and_left_alone(course_data, damage):
    write(course_data / "mnist", MNIST)
    path = course_data / "mnist" / f"{FILE}.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataUnavailable, match=rf"{FILE}.*in COURSE_DATA is damaged.*Copy the file again"):
        data.mnist()
    assert path.exists()


def test_other_content_is_refused_by_its_checksum(course_data):
    write(course_data / "mnist", small_contents(seed=9))
    with pytest.raises(DataUnavailable, match="SHA-256 of its content starts with"):
        data.mnist()


def test_available_warns_of_a_damaged_file_in_course_data(course_data):
    write(course_data / "mnist", MNIST)
    (course_data / "mnist" / f"{FILE}.gz").write_bytes(b"\x1f\x8b")
    with pytest.warns(UserWarning, match=FILE):
        assert not data.available("mnist")


# --- the cache and available()


def test_available_needs_every_file_and_never_downloads(monkeypatch, cache):
    with Mirror() as mirror:
        register(monkeypatch, mirror.url)
        assert not data.available("mnist")
        write(cache / "mnist", MNIST)
        assert data.available("mnist")
        (cache / "mnist" / f"{FILE}.gz").unlink()
        assert not data.available("mnist")
        assert mirror.requests == []


def test_embedded_data_is_always_available():
    assert data.available("digits")
    assert data.available("glyphs")


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="no data set 'cifar'; choose one of digits, glyphs, mnist"):
        data.available("cifar")


def test_a_damaged_file_in_the_cache_is_fetched_again(monkeypatch, cache):
    write(cache / "mnist", MNIST)
    path = cache / "mnist" / f"{FILE}.gz"
    path.write_bytes(path.read_bytes()[:100])
    with Mirror() as mirror:
        register(monkeypatch, mirror.url)
        data.mnist()
        assert mirror.requests == [(f"/{FILE}.gz", None)]
    assert data.available("mnist")


# --- downloads


def test_a_download_is_kept_in_the_cache(monkeypatch):
    with Mirror() as mirror:
        register(monkeypatch, mirror.url)
        first = data.mnist()
        assert len(mirror.requests) == 4
        assert torch.equal(data.mnist().x_train, first.x_train)
        assert len(mirror.requests) == 4


def test_a_dead_mirror_is_followed_by_the_next(monkeypatch):
    with Mirror() as mirror:
        register(monkeypatch, DEAD, mirror.url)
        assert data.mnist().x_train.shape == (TRAIN, 1, 28, 28)


def test_a_mirror_with_other_content_is_followed_by_the_next(monkeypatch, cache):
    with Mirror(contents=FASHION) as wrong, Mirror() as right:
        register(monkeypatch, wrong.url, right.url)
        assert data.mnist().x_train.shape == (TRAIN, 1, 28, 28)
    assert sorted(path.suffix for path in (cache / "mnist").iterdir()) == [".gz"] * 4


def test_a_download_that_breaks_off_is_resumed_where_it_broke(monkeypatch):
    with Mirror(break_off=1) as mirror:
        register(monkeypatch, mirror.url)
        data.mnist()
        (path, first), (same_path, second) = mirror.requests[:2]
        assert path == same_path
        assert first is None
        resumed_at = int(second.removeprefix("bytes=").rstrip("-"))
        assert 0 < resumed_at <= len(mirror.files[path]) // 2


def test_a_mirror_that_cannot_resume_sends_the_whole_file_again(monkeypatch):
    with Mirror(break_off=1, resumes=False) as mirror:
        register(monkeypatch, mirror.url)
        assert data.mnist().x_train.shape == (TRAIN, 1, 28, 28)


def test_a_mirror_that_always_breaks_off_is_given_up_and_the_rest_is_fetched_next_time(monkeypatch):
    with Mirror(break_off=fetch.ATTEMPTS) as mirror:
        register(monkeypatch, mirror.url)
        with pytest.raises(DataUnavailable):
            data.mnist()
        asked_before = len(mirror.requests)
        data.mnist()
        assert mirror.requests[asked_before][1] is not None  # a range: what came is not asked for again


def test_a_missing_file_on_a_mirror_is_said(monkeypatch):
    with Mirror() as mirror:
        mirror.files.clear()
        register(monkeypatch, mirror.url)
        with pytest.raises(DataUnavailable, match="404"):
            data.mnist()


def test_without_network_and_file_the_message_names_the_file_every_url_and_course_data(monkeypatch):
    register(monkeypatch, DEAD, "http://127.0.0.1:2/other/")
    with pytest.raises(DataUnavailable) as caught:
        data.mnist()
    message = str(caught.value)
    assert f"mnist/{FILE}.gz" in message
    assert f"{DEAD}{FILE}.gz" in message
    assert f"http://127.0.0.1:2/other/{FILE}.gz" in message
    assert "COURSE_DATA" in message
    assert "it is not set now" in message


def test_the_message_says_when_course_data_is_no_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataUnavailable, match="nowhere now, which is not a folder"):
        data.mnist()


def test_the_message_says_when_course_data_lacks_the_file(course_data):
    with pytest.raises(DataUnavailable, match="neither it nor mnist/ in it has the file"):
        data.mnist()


def test_the_real_registry_names_four_files_with_two_mirrors_each(monkeypatch):
    monkeypatch.undo()
    for files in data.REGISTRY.values():
        assert set(files) == {"x_train", "y_train", "x_test", "y_test"}
        assert all(len(file.sha256) == 64 and len(file.urls) == 2 for file in files.values())
