"""The published weights: found where they lie, trusted for their checksum only, missed with one sentence."""

import hashlib
import io
from dataclasses import replace

import pytest
import torch

from course import fetch, pretrained
from course.fetch import DataUnavailable
from course.residual import resnet18


@pytest.fixture
def places(monkeypatch, tmp_path):
    """Three empty folders instead of COURSE_DATA, the cache and torch.hub's; no network."""
    folders = {name: tmp_path / name for name in ("data", "cache", "hub")}
    for folder in folders.values():
        folder.mkdir()
    monkeypatch.setenv("COURSE_DATA", str(folders["data"]))
    monkeypatch.setattr(fetch, "cache_folder", lambda: folders["cache"])
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(folders["hub"]))

    def no_network(*_):
        raise OSError("no route to host")

    monkeypatch.setattr(fetch, "_download_resuming", no_network)
    return folders


@pytest.fixture
def weights(monkeypatch):
    """A small file of weights that takes the place of the published one: its bytes and its tensors."""
    state = {"conv1.weight": torch.arange(4.0)}
    file = io.BytesIO()
    torch.save(state, file)
    content = file.getvalue()
    known = replace(pretrained.RESNET18, sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(pretrained, "RESNET18", known)
    return content, state


@pytest.mark.parametrize(
    "place",
    [
        "data/resnet18-f37072fd.pth",
        "data/pretrained/resnet18-f37072fd.pth",
        "cache/pretrained/resnet18-f37072fd.pth.gz",
        "hub/checkpoints/resnet18-f37072fd.pth",
    ],
)
def test_the_file_is_found_in_each_place(places, weights, place, tmp_path):
    content, state = weights
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    loaded = pretrained.resnet18_state_dict(download=False)
    assert torch.equal(loaded["conv1.weight"], state["conv1.weight"])


def test_a_file_in_torch_hubs_cache_that_is_not_whole_is_not_used(places, weights):
    path = places["hub"] / "checkpoints" / pretrained.RESNET18.name
    path.parent.mkdir()
    path.write_bytes(weights[0][:-1])
    with pytest.raises(DataUnavailable, match="nothing was downloaded"):
        pretrained.resnet18_state_dict(download=False)
    assert path.exists()


def test_without_file_and_network_one_sentence_says_what_to_do(places):
    with pytest.raises(DataUnavailable, match=r"no route to host.*COURSE_DATA") as caught:
        pretrained.resnet18_state_dict(progress=False)
    assert "\n" not in str(caught.value)
    assert pretrained.RESNET18.urls[0] in str(caught.value)


def test_a_download_is_kept_in_the_cache(places, weights, monkeypatch):
    content, state = weights
    monkeypatch.setattr(
        fetch, "_download_resuming", lambda url, part, label, progress: part.write_bytes(content)
    )
    loaded = pretrained.resnet18_state_dict(progress=False)
    assert torch.equal(loaded["conv1.weight"], state["conv1.weight"])
    monkeypatch.setattr(fetch, "_download_resuming", None)
    assert pretrained.resnet18_state_dict().keys() == state.keys()


def test_the_name_of_the_file_holds_the_beginning_of_its_checksum():
    assert pretrained.RESNET18.sha256.startswith(pretrained.RESNET18.name[-12:-4])
    assert len(pretrained.RESNET18.sha256) == 64


def test_the_published_weights_fit_where_they_are_on_this_machine():
    try:
        state = pretrained.resnet18_state_dict(download=False)
    except DataUnavailable:
        pytest.skip("torchvision's ResNet-18 is not on this machine")
    assert str(resnet18().load_state_dict(state)) == "<All keys matched successfully>"
