"""One readable training loop, used by the lessons once they have taught its parts.

The data stays on the device as tensors. A mini-batch is then one indexing operation, which for small
images is several times faster than a `DataLoader` that copies examples one by one.

On the size of the last batch: 60,000 images in batches of 128 leave 96 over. They form a last, smaller
batch, as in Keras. When exactly **one** example is left over, it is skipped in this epoch: batch norm in
training mode cannot normalize it (its variance is 0, and torch raises an error). The order is drawn anew for
each epoch, so it is another example every time. With ``batch_size=1`` nothing is skipped.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from course.data import ImageData

__all__ = ["Evaluation", "History", "evaluate", "evaluation_mode", "fit"]


@dataclass
class History:
    """What `fit` measured: one entry per finished epoch.

    ``train_loss`` and ``train_accuracy`` are means over the epoch's batches, taken in training mode while the
    weights change. ``test_loss`` and ``test_accuracy`` are taken in evaluation mode at the end of the epoch.
    ``seconds`` is the wall time of the epoch, testing included.
    """

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    interrupted: bool = False

    def __len__(self) -> int:
        return len(self.seconds)


class Evaluation(NamedTuple):
    """Mean cross-entropy (in nats) and the fraction of right answers."""

    loss: float
    accuracy: float


def fit(
    model: nn.Module,
    data: ImageData,
    *,
    epochs: int,
    batch_size: int,
    optimizer: torch.optim.Optimizer,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: bool = True,
    on_epoch: Callable[[int, History], object] | None = None,
) -> History:
    """Train ``model`` with cross-entropy on ``data`` and return its `History`.

    ``model`` maps images (N, C, H, W) to logits (N, classes). ``optimizer`` holds the model's parameters and
    is made by the caller. ``seed`` decides the order of the examples, nothing else. ``device`` defaults to
    where the model is. ``on_epoch(epoch, history)`` is called after each epoch (1, 2, …), for instance to
    step a schedule.

    A loss that is not finite is recorded, not raised: a run that diverges is a result too. Ctrl-C (or the
    notebook's stop button) ends the training early; the History then holds the epochs that were finished.

    Raises:
        ValueError: ``epochs`` or ``batch_size`` below 1, no example, images and labels that differ in number,
            or an optimizer that holds no parameter of this model.
    """
    _require_positive("epochs", epochs)
    _require_positive("batch_size", batch_size)
    _require_pairs(data.x_train, data.y_train)
    _require_own_parameters(model, optimizer)

    device = _device_of(model) if device is None else torch.device(device)
    model.to(device)
    x_train, y_train = data.x_train.to(device), data.y_train.to(device)
    x_test, y_test = data.x_test.to(device), data.y_test.to(device)
    generator = torch.Generator().manual_seed(seed)  # on the CPU: the same order on every device

    history = History()
    steps = len(_batch_sizes(len(x_train), batch_size))
    with tqdm(total=epochs * steps, unit="batch", disable=not progress) as bar:
        try:
            for epoch in range(1, epochs + 1):
                bar.set_description(f"epoch {epoch}/{epochs}")
                start = time.perf_counter()
                trained = _train_one_epoch(model, optimizer, x_train, y_train, batch_size, generator, bar)
                tested = evaluate(model, x_test, y_test)
                history.train_loss.append(trained.loss)
                history.train_accuracy.append(trained.accuracy)
                history.test_loss.append(tested.loss)
                history.test_accuracy.append(tested.accuracy)
                history.seconds.append(time.perf_counter() - start)
                bar.set_postfix(loss=f"{trained.loss:.4f}", test_accuracy=f"{tested.accuracy:.4f}")
                if on_epoch is not None:
                    on_epoch(epoch, history)
        except KeyboardInterrupt:
            history.interrupted = True
    return history


def _train_one_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    batch_size: int,
    generator: torch.Generator,
    bar: tqdm,
) -> Evaluation:
    model.train()
    sizes = _batch_sizes(len(x), batch_size)
    order = torch.randperm(len(x), generator=generator)[: sum(sizes)].to(x.device)
    # The sums stay on the device: reading them after every batch would make a GPU wait for the CPU.
    total_loss = torch.zeros((), device=x.device)
    total_right = torch.zeros((), device=x.device)
    for batch in order.split(sizes):
        inputs, labels = x[batch], y[batch]
        logits = model(inputs)
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total_loss += loss.detach() * len(batch)
        total_right += (logits.detach().argmax(dim=1) == labels).sum()
        bar.update()
    return Evaluation((total_loss / len(order)).item(), (total_right / len(order)).item())


def evaluate(model: nn.Module, x: Tensor, y: Tensor, batch_size: int = 1024) -> Evaluation:
    """Return loss and accuracy on images ``x`` (N, C, H, W) with labels ``y`` (N,), in evaluation mode.

    Every module is back in its own mode afterwards. The batch size changes the speed only: in evaluation
    mode, batch norm uses its running statistics.

    Raises:
        ValueError: ``batch_size`` below 1, no example, or images and labels that differ in number.
    """
    _require_positive("batch_size", batch_size)
    _require_pairs(x, y)
    device = _device_of(model)
    total_loss = torch.zeros((), device=device)
    total_right = torch.zeros((), device=device)
    with evaluation_mode(model), torch.inference_mode():
        for inputs, labels in zip(x.split(batch_size), y.split(batch_size), strict=True):
            labels = labels.to(device)
            logits = model(inputs.to(device))
            total_loss += F.cross_entropy(logits, labels, reduction="sum")
            total_right += (logits.argmax(dim=1) == labels).sum()
    return Evaluation((total_loss / len(x)).item(), (total_right / len(x)).item())


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put ``model`` in evaluation mode, and afterwards every module back in the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _batch_sizes(n: int, batch_size: int) -> list[int]:
    """Return the sizes of an epoch's batches: ``batch_size`` each, then the rest unless it is only one."""
    full, rest = divmod(n, batch_size)
    sizes = [batch_size] * full
    if rest > 1 or not sizes:
        sizes.append(rest)
    return sizes


def _device_of(model: nn.Module) -> torch.device:
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def _require_positive(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}.")


def _require_pairs(x: Tensor, y: Tensor) -> None:
    if len(x) != len(y):
        raise ValueError(f"There must be one label per image, got {len(x)} images and {len(y)} labels.")
    if len(x) == 0:
        raise ValueError("There is no example: the data set is empty.")


def _require_own_parameters(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    own = {id(parameter) for parameter in model.parameters()}
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    if own.isdisjoint(held):
        raise ValueError(
            "The optimizer holds no parameter of this model, so training would change nothing. "
            "Make it from the model that you pass: torch.optim.SGD(model.parameters(), lr=0.1)."
        )
