"""Counts each pair once, and forgets the root."""

import torch


def confusion_matrix(predictions, labels, num_classes):
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    matrix[labels, predictions] += 1
    return matrix


def accuracy_with_error(logits, labels):
    accuracy = (logits.argmax(dim=1) == labels).to(logits.dtype).mean()
    return accuracy, accuracy * (1 - accuracy) / len(labels)
