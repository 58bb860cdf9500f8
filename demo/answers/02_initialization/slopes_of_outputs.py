"""Derivatives taken at the output instead of the input, and a leak that is left out."""

import torch


def sigmoid_backward(grad_output, x):
    return grad_output * x * (1 - x)


def tanh_backward(grad_output, x):
    return grad_output * (1 - x**2)


def leaky_relu_backward(grad_output, x, negative_slope=0.01):
    return grad_output * (x > 0)


def prelu_backward(grad_output, x, weight):
    grad_x = torch.where(x > 0, grad_output, weight * grad_output)
    grad_weight = torch.where(x > 0, 0, x * grad_output)
    return grad_x, grad_weight
