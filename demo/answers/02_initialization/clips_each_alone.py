"""Every gradient is clipped by its own norm, and nothing is returned."""

import torch


def clip_grad_norm_(parameters, max_norm, norm_type=2.0):
    for parameter in parameters:
        norm = torch.linalg.vector_norm(parameter.grad, norm_type)
        if norm > max_norm:
            parameter.grad *= max_norm / norm


def clip_grad_value_(parameters, clip_value):
    for parameter in parameters:
        parameter.grad = parameter.grad.clamp(max=clip_value)
