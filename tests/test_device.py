"""Choosing a device: what is there decides, and nothing here needs a GPU."""

import pytest
import torch

from course import device


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_best_device_prefers_cuda_then_mps_then_cpu(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert device.best_device() == torch.device(expected)


def test_synchronize_has_nothing_to_wait_for_on_a_cpu():
    device.synchronize("cpu")
    device.synchronize(torch.device("cpu"))


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_synchronize_waits_for_the_accelerator(monkeypatch, kind):
    waited = []
    monkeypatch.setattr(getattr(torch, kind), "synchronize", lambda *args: waited.append(kind))
    device.synchronize(kind)
    assert waited == [kind]


def test_describe_names_the_processor_and_its_cores(monkeypatch):
    monkeypatch.setattr(device.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(device.os, "cpu_count", lambda: 2)
    assert device.describe("cpu") == "CPU (x86_64, 2 cores)"
    monkeypatch.setattr(device.os, "cpu_count", lambda: 1)
    assert device.describe("cpu") == "CPU (x86_64, 1 core)"


def test_describe_names_a_gpu_with_its_memory(monkeypatch):
    class Properties:
        name = "Some GPU"
        total_memory = 24 * 2**30

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Properties)
    assert device.describe("cuda") == "Some GPU (24 GiB)"
