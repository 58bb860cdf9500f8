"""Right answers to the exercises of lesson 8."""

import torch
from torch import nn
from torch.nn import functional as F

# --- count_parameters ---------------------------------------------------------------------------------------


def count_in_a_loop(model):
    total = 0
    for p in model.parameters():
        if p.requires_grad:
            product = 1
            for n in p.shape:
                product *= n
            total += product
    return total


def count_by_identity(model):
    seen = {}
    for module in model.modules():
        for p in module._parameters.values():
            if p is not None and p.requires_grad:
                seen[id(p)] = p.numel()
    return sum(seen.values())


def count_vector(model):
    trainable = [p for p in model.parameters() if p.requires_grad]
    return len(nn.utils.parameters_to_vector(trainable)) if trainable else 0


# --- confusion_matrix ---------------------------------------------------------------------------------------


def confusion_in_a_loop(predictions, labels, num_classes):
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    for answer, label in zip(predictions.tolist(), labels.tolist(), strict=True):
        matrix[label, answer] += 1
    return matrix


def confusion_by_products(predictions, labels, num_classes):
    return F.one_hot(labels, num_classes).T @ F.one_hot(predictions, num_classes)


def confusion_accumulated(predictions, labels, num_classes):
    matrix = torch.zeros((num_classes, num_classes), dtype=torch.long)
    matrix.index_put_((labels, predictions), torch.ones_like(labels), accumulate=True)
    return matrix


def confusion_row_by_row(predictions, labels, num_classes):
    return torch.stack(
        [torch.bincount(predictions[labels == c], minlength=num_classes) for c in range(num_classes)]
    )


# --- accuracy_with_error ------------------------------------------------------------------------------------


def error_by_std(logits, labels):
    right = (logits.max(1).indices == labels).to(logits.dtype)
    return right.mean(), right.std(correction=0) / len(labels) ** 0.5


def error_by_counts(logits, labels):
    n = len(labels)
    k = (torch.argmax(logits, dim=-1) == labels).sum().item()
    a = logits.new_tensor(k / n)
    return a, torch.sqrt(a * (1 - a) / n)


def error_from_the_matrix(logits, labels):
    matrix = confusion_in_a_loop(logits.argmax(1), labels, logits.shape[1]).to(logits.dtype)
    a = matrix.diagonal().sum() / matrix.sum()
    return a, ((1 - a) * a).sqrt() / matrix.sum().sqrt()


# --- build_model --------------------------------------------------------------------------------------------


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 24, 3)
        self.fc1 = nn.Linear(24 * 3 * 3, 48)
        self.fc2 = nn.Linear(48, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.dropout(F.relu(self.fc1(x.flatten(1))), 0.3, self.training))


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        out = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(x + self.norm2(self.conv2(out)))


class SmallResNet(nn.Module):
    def __init__(self, mean=0.3, std=0.37):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.std = std
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        self.stages = nn.ModuleList([Residual(16), Residual(16)])
        self.down = nn.Conv2d(16, 24, 3, stride=2, padding=1)
        self.fc = nn.Linear(24, 10)

    def forward(self, x):
        x = F.relu(self.stem((x - self.mean) / self.std))
        for stage in self.stages:
            x = stage(x)
        return self.fc(F.relu(self.down(x)).mean((2, 3)))


def build_lenet():
    return LeNet()


def build_resnet():
    return SmallResNet()


def build_depthwise():
    """Depthwise convolutions, group norm, GELU, and a head that is a convolution."""

    def stage(n, m, stride):
        return nn.Sequential(
            nn.Conv2d(n, n, 3, stride, padding=1, groups=n),
            nn.GroupNorm(4, n),
            nn.Conv2d(n, m, 1),
            nn.GELU(),
        )

    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding="same"),
        stage(16, 48, 2),
        stage(48, 64, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(64, 10, 1),
        nn.Flatten(),
    )


# --- train_network ------------------------------------------------------------------------------------------


def train_with_sgd(x_train, y_train):
    """Nesterov momentum, cosine by hand, a DataLoader."""
    torch.manual_seed(1)
    model = SmallResNet()
    data = torch.utils.data.TensorDataset(x_train, y_train)
    loader = torch.utils.data.DataLoader(data, batch_size=64, shuffle=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 24)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
    for _ in range(24):
        model.train()
        for x, y in loader:
            optimizer.zero_grad(set_to_none=False)
            criterion(model(x), y).backward()
            optimizer.step()
        schedule.step()
    return model


def train_by_hand(x_train, y_train):
    """Adam's step written out, other functions of torch; the model left in training mode."""
    generator = torch.Generator().manual_seed(3)
    torch.manual_seed(3)
    model = build_model_wide()
    state = [(p, torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()]
    t, total = 0, 28 * 19
    for _ in range(28):
        for index in torch.randperm(len(x_train), generator=generator).split(64):
            t += 1
            loss = -model(x_train[index]).log_softmax(1)[torch.arange(len(index)), y_train[index]].mean()
            grads = torch.autograd.grad(loss, [p for p, _, _ in state])
            with torch.no_grad():
                for (p, m, v), g in zip(state, grads, strict=True):
                    m.mul_(0.9).add_(g, alpha=0.1)
                    v.mul_(0.99).addcmul_(g, g, value=0.01)
                    p -= 0.006 * (1 - t / total) * (m / (1 - 0.9**t)) / (v / (1 - 0.99**t)).sqrt().add(1e-8)
    return model


def build_model_wide():
    return nn.Sequential(
        nn.Conv2d(1, 20, 3, padding=1), nn.BatchNorm2d(20), nn.ReLU(),
        nn.Conv2d(20, 36, 3, padding=1), nn.BatchNorm2d(36), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(36, 24, 3, padding=1), nn.BatchNorm2d(24), nn.LeakyReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(96, 10),
    )  # fmt: skip


class Ensemble(nn.Module):
    """The mean of several networks' logits, and of a picture's shifted copies."""

    def __init__(self, models):
        super().__init__()
        self.models = nn.ModuleList(models)

    def forward(self, x):
        padded = F.pad(x, (1, 1, 1, 1))
        views = [
            x,
            padded[:, :, :8, 1:9],
            padded[:, :, 2:, 1:9],
            padded[:, :, 1:9, :8],
            padded[:, :, 1:9, 2:],
        ]
        return torch.stack([m(v).softmax(-1) for m in self.models for v in views]).mean(0)


def train_an_ensemble(x_train, y_train):
    """Two small networks, and each answer from five views; a validation part chooses the epoch."""
    models = []
    for seed in range(2):
        torch.manual_seed(seed)
        order = torch.randperm(len(x_train))
        train, val = order[100:], order[:100]
        model = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12), nn.ReLU(),
            nn.Conv2d(12, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(24, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(96, 10),
        )  # fmt: skip
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, epochs=16, steps_per_epoch=18)
        best, kept = -1.0, None
        for _ in range(16):
            model.train()
            for index in train[torch.randperm(len(train))].split(64):
                loss = F.cross_entropy(model(x_train[index]), y_train[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
            model.eval()
            with torch.no_grad():
                accuracy = (model(x_train[val]).argmax(1) == y_train[val]).float().mean().item()
            if accuracy >= best:
                best, kept = accuracy, {name: value.clone() for name, value in model.state_dict().items()}
        model.load_state_dict(kept)
        models.append(model)
    return Ensemble(models).eval()


RIGHT = {
    "count_parameters": {
        "in a loop": count_in_a_loop,
        "by identity": count_by_identity,
        "as a vector": count_vector,
    },
    "confusion_matrix": {
        "in a loop": confusion_in_a_loop,
        "products of one-hot rows": confusion_by_products,
        "index_put_": confusion_accumulated,
        "row by row": confusion_row_by_row,
    },
    "accuracy_with_error": {
        "std": error_by_std,
        "counts": error_by_counts,
        "from the confusion matrix": error_from_the_matrix,
    },
    "build_model": {"LeNet": build_lenet, "ResNet": build_resnet, "depthwise": build_depthwise},
    "train_network": {
        "SGD and a DataLoader": train_with_sgd,
        "Adam by hand": train_by_hand,
        "two networks, five views": train_an_ensemble,
    },
}
