"""Rows for columns: the fans change places, and Xavier's two take the wrong one for both."""

import math

import torch


def calculate_fan_in_and_fan_out(tensor):
    field = tensor[0][0].numel()
    return tensor.shape[0] * field, tensor.shape[1] * field


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    fan = tensor.shape[0] if mode == "fan_in" else tensor.shape[1]
    fan *= tensor[0][0].numel()
    gain = torch.nn.init.calculate_gain(nonlinearity, a)
    with torch.no_grad():
        return tensor.normal_(0, gain / math.sqrt(fan))
