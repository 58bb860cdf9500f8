"""A linear layer on the whole map: 66,186 numbers."""

import torch
from torch import nn


def build_model():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(1024, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def train_network(x_train, y_train):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(1024, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
    criterion = nn.CrossEntropyLoss()
    data = torch.utils.data.TensorDataset(x_train, y_train)
    for _epoch in range(6):
        for pictures, labels in torch.utils.data.DataLoader(data, 50, shuffle=True):
            model.zero_grad()
            criterion(model(pictures), labels).backward()
            optimizer.step()
    return model
