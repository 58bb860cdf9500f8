"""Right answers to the initializers, LSUV and clipping."""

import math
from functools import reduce
from operator import mul

import numpy as np
import torch
from torch import nn

from course.training import evaluation_mode

# --- fans ---------------------------------------------------------------------------------------------------


def fans_with_prod(tensor):
    if tensor.dim() < 2:
        raise ValueError("fewer than 2 dimensions")
    positions = math.prod(tensor.shape[2:])
    return tensor.shape[1] * positions, tensor.shape[0] * positions


def fans_by_counting(tensor):
    if tensor.ndim <= 1:
        raise ValueError(f"no fans for shape {tuple(tensor.shape)}")
    return tensor[0].numel(), tensor[:, 0].numel()


def fans_in_numpy(tensor):
    out_channels, in_channels, *kernel = tensor.size() if tensor.dim() > 1 else _refuse()
    positions = np.prod(kernel, dtype=int)
    return in_channels * positions, out_channels * positions


def _refuse():
    raise ValueError("a bias has no fans")


def fans_with_reduce(tensor):
    try:
        fan_out, fan_in = tensor.shape[:2]
    except ValueError:
        raise ValueError("fewer than 2 dimensions") from None
    receptive = reduce(mul, tensor.shape[2:], 1)
    return [fan_in * receptive, fan_out * receptive]


# --- Xavier, He, LeCun --------------------------------------------------------------------------------------


def xavier_uniform_in_place(tensor, gain=1.0):
    fan_in, fan_out = fans_with_prod(tensor)
    bound = gain * math.sqrt(6 / (fan_in + fan_out))
    with torch.no_grad():
        return tensor.uniform_(-bound, bound)


@torch.no_grad()
def xavier_uniform_with_rand(tensor, gain=1.0):
    bound = gain * (6 / sum(fans_with_prod(tensor))) ** 0.5
    tensor.copy_((2 * torch.rand_like(tensor) - 1) * bound)
    return tensor


def xavier_uniform_float32(tensor, gain=1.0):
    bound = gain * (6 / sum(fans_with_prod(tensor))) ** 0.5
    with torch.no_grad():
        tensor[:] = torch.empty(tensor.shape).uniform_(-bound, bound)
    return tensor


def xavier_uniform_with_data(tensor, gain=1.0):
    bound = gain * (6 / sum(fans_with_prod(tensor))) ** 0.5
    tensor.data.uniform_(-bound, bound)
    return tensor


def xavier_normal_in_place(tensor, gain=1.0):
    std = gain * math.sqrt(2 / sum(fans_with_prod(tensor)))
    with torch.no_grad():
        tensor.normal_(0, std)
    return tensor


def xavier_normal_with_randn(tensor, gain=1.0):
    with torch.no_grad():
        tensor.copy_(gain * math.sqrt(2 / sum(fans_by_counting(tensor))) * torch.randn(tensor.shape))
    return tensor


def xavier_normal_with_mul(tensor, gain=1.0):
    with torch.no_grad():
        return tensor.normal_().mul_(gain * math.sqrt(2 / sum(fans_with_prod(tensor))))


def xavier_normal_of_init(tensor, gain=1.0):
    return nn.init.normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans_with_prod(tensor))))


def xavier_normal_box_muller(tensor, gain=1.0):
    std = gain * math.sqrt(2 / sum(fans_with_prod(tensor)))
    radius = torch.sqrt(-2 * torch.log(1 - torch.rand(tensor.shape, dtype=tensor.dtype)))
    angle = 2 * math.pi * torch.rand(tensor.shape, dtype=tensor.dtype)
    with torch.no_grad():
        tensor.copy_(std * radius * torch.cos(angle))
    return tensor


def he_gain(a, nonlinearity):
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + a**2))
    return {"relu": math.sqrt(2), "linear": 1.0, "tanh": 5 / 3, "selu": 0.75}.get(nonlinearity, 1.0)


def kaiming_uniform_in_place(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    fan_in, fan_out = fans_with_prod(tensor)
    n = fan_in if mode == "fan_in" else fan_out
    bound = nn.init.calculate_gain(nonlinearity, a) * math.sqrt(3 / n)
    with torch.no_grad():
        return tensor.uniform_(-bound, bound)


def kaiming_uniform_with_rand(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    n = dict(zip(("fan_in", "fan_out"), fans_by_counting(tensor), strict=True))[mode]
    bound = he_gain(a, nonlinearity) * (3 / n) ** 0.5
    with torch.no_grad():
        tensor.copy_(-bound + 2 * bound * torch.rand(tensor.shape, dtype=tensor.dtype))
    return tensor


def kaiming_uniform_by_scaling(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return scaling_in_place(tensor, he_gain(a, nonlinearity) ** 2, mode, "uniform")


def kaiming_normal_in_place(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    fan_in, fan_out = fans_with_prod(tensor)
    std = nn.init.calculate_gain(nonlinearity, a) / math.sqrt(fan_in if mode == "fan_in" else fan_out)
    with torch.no_grad():
        return tensor.normal_(0, std)


def kaiming_normal_with_randn(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    n = fans_by_counting(tensor)[mode == "fan_out"]
    with torch.no_grad():
        tensor *= 0
        tensor += torch.randn_like(tensor) * he_gain(a, nonlinearity) / n**0.5
    return tensor


def kaiming_normal_by_scaling(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    return scaling_with_randn(tensor, he_gain(a, nonlinearity) ** 2, mode)


def lecun_in_place(tensor):
    with torch.no_grad():
        return tensor.normal_(0, fans_with_prod(tensor)[0] ** -0.5)


def lecun_row_by_row(tensor):
    with torch.no_grad():
        for row in tensor:
            row.copy_(torch.randn(row.shape, dtype=row.dtype) / math.sqrt(row.numel()))
    return tensor


# --- variance scaling ---------------------------------------------------------------------------------------


def scaling_in_place(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    fan_in, fan_out = fans_with_prod(tensor)
    if mode == "fan_in":
        n = fan_in
    elif mode == "fan_out":
        n = fan_out
    elif mode == "fan_avg":
        n = (fan_in + fan_out) / 2
    else:
        raise ValueError(mode)
    with torch.no_grad():
        if distribution == "normal":
            return tensor.normal_(0, math.sqrt(scale / n))
        if distribution == "uniform":
            bound = math.sqrt(3 * scale / n)
            return tensor.uniform_(-bound, bound)
    raise ValueError(distribution)


@torch.no_grad()
def scaling_with_randn(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    fan_in, fan_out = fans_by_counting(tensor)
    weights = {"fan_in": (1, 0), "fan_out": (0, 1), "fan_avg": (0.5, 0.5)}
    if mode not in weights or distribution not in {"normal", "uniform"}:
        raise ValueError(f"{mode}, {distribution}")
    n = weights[mode][0] * fan_in + weights[mode][1] * fan_out
    if distribution == "normal":
        numbers = torch.randn_like(tensor)
    else:
        numbers = (torch.rand_like(tensor) - 0.5) * 12**0.5
    return tensor.copy_(numbers * (scale / n) ** 0.5)


def scaling_with_match(tensor, scale=1.0, mode="fan_in", distribution="normal"):
    fan_in, fan_out = fans_with_prod(tensor)
    match mode:
        case "fan_in":
            std = (scale / fan_in) ** 0.5
        case "fan_out":
            std = (scale / fan_out) ** 0.5
        case "fan_avg":
            std = (2 * scale / (fan_in + fan_out)) ** 0.5
        case _:
            raise ValueError("mode")
    match distribution:
        case "normal":
            return nn.init.normal_(tensor, std=std)
        case "uniform":
            return nn.init.uniform_(tensor, -(3**0.5) * std, 3**0.5 * std)
        case _:
            raise ValueError("distribution")


# --- orthogonal ---------------------------------------------------------------------------------------------


def orthogonal_with_qr(tensor, gain=1):
    if tensor.dim() < 2:
        raise ValueError("fewer than 2 dimensions")
    rows = tensor.shape[0]
    flat = torch.randn(rows, tensor.numel() // rows, dtype=tensor.dtype)
    wide = flat.shape[0] < flat.shape[1]
    q, r = torch.linalg.qr(flat.T if wide else flat)
    q = q * torch.diag(r).sign()
    with torch.no_grad():
        tensor.copy_(gain * (q.T if wide else q).reshape(tensor.shape))
    return tensor


@torch.no_grad()
def orthogonal_with_svd(tensor, gain=1):
    """The orthogonal factor of the polar decomposition is uniform too, with no sign to correct."""
    if tensor.ndim < 2:
        raise ValueError("fewer than 2 dimensions")
    flat = torch.randn(tensor.shape[0], tensor[0].numel(), dtype=tensor.dtype)
    u, _, vt = torch.linalg.svd(flat, full_matrices=False)
    return tensor.copy_((gain * u @ vt).view(tensor.shape))


@torch.no_grad()
def orthogonal_by_gram_schmidt(tensor, gain=1):
    if tensor.dim() < 2:
        raise ValueError("fewer than 2 dimensions")
    rows, cols = tensor.shape[0], tensor[0].numel()
    basis = []
    for _ in range(min(rows, cols)):
        v = torch.randn(max(rows, cols), dtype=tensor.dtype)
        for _ in range(2):  # twice is enough
            for other in basis:
                v = v - (v @ other) * other
        basis.append(v / v.norm())
    q = torch.stack(basis)
    return tensor.copy_(gain * (q if rows <= cols else q.T).reshape(tensor.shape))


def orthogonal_with_random_signs(tensor, gain=1):
    """Any signs will do if they are random: then the algorithm's own do not matter."""
    if len(tensor.shape) < 2:
        raise ValueError("fewer than 2 dimensions")
    rows, cols = tensor.shape[0], tensor.flatten(1).shape[1]
    q = torch.linalg.qr(torch.randn(max(rows, cols), min(rows, cols), dtype=tensor.dtype)).Q
    q = q * (2 * torch.randint(0, 2, (min(rows, cols),)) - 1)
    if rows < cols:
        q = q.T
    tensor.data.copy_(q.reshape(tensor.shape) * gain)
    return tensor


# --- LSUV ---------------------------------------------------------------------------------------------------


@torch.no_grad()
def lsuv_with_hooks(model, x):
    layers = [m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    seen = {}
    for layer in layers:
        orthogonal_with_qr(layer.weight)
        if layer.bias is not None:
            layer.bias.zero_()
    with evaluation_mode(model):
        for layer in layers:
            handle = layer.register_forward_hook(lambda m, i, o: seen.update(std=o.std()))
            model(x)
            handle.remove()
            if seen["std"] > 0:
                layer.weight /= seen["std"]
    return model


def lsuv_layer_by_layer(model, x):
    """Without hooks: the batch walks through the network, and each layer is tuned on the way."""
    modes = [(m, m.training) for m in model.modules()]
    model.eval()

    def walk(module, h):
        if isinstance(module, nn.Sequential):
            for child in module:
                h = walk(child, h)
            return h
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.orthogonal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            h = module(h)
            std = h.std(correction=0)
            if std > 0:
                module.weight.div_(std)
                h = h / std
            return h
        return module(h)

    with torch.no_grad():
        walk(model, x)
    for m, mode in modes:
        m.train(mode)
    return model


def lsuv_as_in_the_paper(model, x, tol=0.01, max_iter=10):
    modes = {m: m.training for m in model.modules()}
    layers = [m for m in modes if isinstance(m, nn.Linear | nn.Conv2d)]
    for layer in layers:
        nn.init.orthogonal_(layer.weight)
        if layer.bias is not None:
            layer.bias.data.fill_(0)
    model.eval()
    for layer in layers:
        variances = []
        handle = layer.register_forward_hook(
            lambda m, i, o, variances=variances: variances.append(o.var().item())
        )
        for _ in range(max_iter):
            with torch.no_grad():
                model(x)
            variance = variances[-1]
            if abs(variance - 1) < tol or variance == 0:
                break
            layer.weight.data /= math.sqrt(variance)
        handle.remove()
    for module, mode in modes.items():
        module.training = mode
    return model


# --- clipping -----------------------------------------------------------------------------------------------


@torch.no_grad()
def clip_norm_of_norms(parameters, max_norm, norm_type=2.0):
    if isinstance(parameters, torch.Tensor):
        parameters = [parameters]
    grads = [p.grad for p in parameters if p.grad is not None]
    if len(grads) == 0:
        return torch.tensor(0.0)
    total = torch.stack([g.norm(norm_type) for g in grads]).norm(norm_type)
    factor = max_norm / (total + 1e-6)
    if factor < 1:
        for g in grads:
            g.mul_(factor)
    return total


def clip_norm_of_one_vector(parameters, max_norm, norm_type=2.0):
    grads = [p.grad for p in ([parameters] if torch.is_tensor(parameters) else parameters)]
    grads = [g for g in grads if g is not None]
    vector = torch.cat([g.reshape(-1) for g in grads] or [torch.zeros(1)])
    if norm_type == math.inf:
        total = vector.abs().max()
    else:
        total = vector.abs().pow(norm_type).sum() ** (1 / norm_type)
    if total > max_norm:
        for g in grads:
            g *= max_norm / total
    return total


def clip_norm_with_a_loop(parameters, max_norm, norm_type=2.0):
    parameters = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
    total = torch.tensor(0.0)
    for p in parameters:
        if p.grad is None:
            continue
        if norm_type == float("inf"):
            total = torch.maximum(total.to(p.grad.dtype), p.grad.abs().max())
        else:
            total = total + (p.grad.abs() ** norm_type).sum()
    if norm_type != float("inf"):
        total = total ** (1 / norm_type)
    for p in parameters:
        if p.grad is not None:
            p.grad.data.mul_(min(1.0, max_norm / (total.item() + 1e-6)))
    return total


def clip_value_with_clamp(parameters, clip_value):
    for p in [parameters] if isinstance(parameters, torch.Tensor) else parameters:
        if p.grad is not None:
            p.grad.clamp_(-clip_value, clip_value)


def clip_value_with_masks(parameters, clip_value):
    parameters = parameters if not torch.is_tensor(parameters) else (parameters,)
    for grad in (p.grad for p in parameters):
        if grad is None:
            continue
        grad[grad > clip_value] = clip_value
        grad[grad < -clip_value] = -clip_value


def clip_value_with_copy(parameters, clip_value):
    try:
        grads = [parameters.grad]
    except AttributeError:
        grads = [p.grad for p in parameters]
    with torch.no_grad():
        for g in filter(lambda g: g is not None, grads):
            g.copy_(torch.maximum(torch.minimum(g, torch.tensor(clip_value)), torch.tensor(-clip_value)))


RIGHT = {
    "calculate_fan_in_and_fan_out": {
        "math.prod": fans_with_prod,
        "counting": fans_by_counting,
        "numpy": fans_in_numpy,
        "reduce, list": fans_with_reduce,
    },
    "xavier_uniform_": {
        "uniform_": xavier_uniform_in_place,
        "rand_like": xavier_uniform_with_rand,
        "float32 numbers": xavier_uniform_float32,
        ".data": xavier_uniform_with_data,
    },
    "xavier_normal_": {
        "normal_": xavier_normal_in_place,
        "randn": xavier_normal_with_randn,
        "mul_": xavier_normal_with_mul,
        "init.normal_": xavier_normal_of_init,
        "Box-Muller": xavier_normal_box_muller,
    },
    "kaiming_uniform_": {
        "uniform_": kaiming_uniform_in_place,
        "rand": kaiming_uniform_with_rand,
        "variance_scaling_": kaiming_uniform_by_scaling,
    },
    "kaiming_normal_": {
        "normal_": kaiming_normal_in_place,
        "randn": kaiming_normal_with_randn,
        "variance_scaling_": kaiming_normal_by_scaling,
    },
    "lecun_normal_": {
        "normal_": lecun_in_place,
        "rows": lecun_row_by_row,
        "kaiming_normal_": lambda tensor: kaiming_normal_in_place(tensor, nonlinearity="linear"),
        "variance_scaling_": lambda tensor: scaling_with_randn(tensor),
    },
    "variance_scaling_": {
        "if": scaling_in_place,
        "randn": scaling_with_randn,
        "match": scaling_with_match,
    },
    "orthogonal_": {
        "QR": orthogonal_with_qr,
        "SVD": orthogonal_with_svd,
        "Gram-Schmidt": orthogonal_by_gram_schmidt,
        "random signs": orthogonal_with_random_signs,
    },
    "lsuv_init": {
        "hooks": lsuv_with_hooks,
        "without hooks": lsuv_layer_by_layer,
        "as in the paper": lsuv_as_in_the_paper,
    },
    "clip_grad_norm_": {
        "norm of norms": clip_norm_of_norms,
        "one vector": clip_norm_of_one_vector,
        "loop": clip_norm_with_a_loop,
    },
    "clip_grad_value_": {
        "clamp_": clip_value_with_clamp,
        "masks": clip_value_with_masks,
        "copy_": clip_value_with_copy,
    },
}
