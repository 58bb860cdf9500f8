"""Goes through the pictures as they come, sorted by class."""

import torch
from torch import nn


def train_network(x_train, y_train):
    torch.manual_seed(0)
    model = build_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(6):
        for x, y in zip(x_train.split(64), y_train.split(64), strict=True):
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model
