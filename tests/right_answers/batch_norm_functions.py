"""Right answers to batch_norm_train, batch_norm_backward and batch_norm_eval."""

import torch

# --- batch_norm_train ---------------------------------------------------------------------------------------


def train_with_unbiased_false(x, weight, bias, eps=1e-5):
    mean = x.mean(dim=0)
    var = x.var(dim=0, unbiased=False)
    x_hat = (x - mean) / torch.sqrt(var + eps)
    y = weight * x_hat + bias
    return y, mean, var


def train_by_definition(x, weight, bias, eps=1e-5):
    m = x.mean(0)
    v = ((x - m) ** 2).mean(0)
    return (x - m) / (v + eps) ** 0.5 * weight + bias, m, v


def train_with_var_mean_and_rsqrt(x, weight, bias, eps=1e-5):
    var, mean = torch.var_mean(x, dim=0, correction=0)
    scale = weight * torch.rsqrt(var + eps)
    return torch.addcmul(bias, x - mean, scale), mean, var


def train_with_einsum(x, weight, bias, eps=1e-5):
    n = x.shape[0]
    mean = torch.einsum("nc->c", x) / n
    d = x - mean
    var = torch.einsum("nc,nc->c", d, d) / n
    return torch.einsum("nc,c,c->nc", d, (var + eps).rsqrt(), weight) + bias, mean, var


def train_with_loops(x, weight, bias, eps=1e-5):
    columns, means, variances = [], [], []
    for c in range(x.shape[1]):
        total = 0.0
        for value in x[:, c]:
            total = total + value
        mean = total / len(x)
        squares = 0.0
        for value in x[:, c]:
            squares = squares + (value - mean) ** 2
        var = squares / len(x)
        columns.append(weight[c] * (x[:, c] - mean) / torch.sqrt(var + eps) + bias[c])
        means.append(mean)
        variances.append(var)
    return torch.stack(columns, dim=1), torch.stack(means), torch.stack(variances)


def train_in_float64(x, weight, bias, eps=1e-5):
    wide = x.double()
    mean, var = wide.mean(0), wide.var(0, correction=0)
    y = weight * (wide - mean) / (var + eps).sqrt() + bias
    return y.to(x.dtype), mean.to(x.dtype), var.to(x.dtype)


def train_on_the_transpose(x, weight, bias, eps=1e-5):
    rows = x.t()
    mean = rows.mean(1, keepdim=True)
    var = (rows - mean).square().mean(1, keepdim=True)
    y = (rows - mean).div(var.add(eps).sqrt()).mul(weight.unsqueeze(1)).add(bias.unsqueeze(1))
    return y.t(), mean.squeeze(1), var.squeeze(1)


def train_in_place_on_a_copy(x, weight, bias, eps=1e-5):
    y = x.clone()
    mean = x.mean(0)
    y -= mean
    var = (y * y).mean(0)
    y = y / torch.sqrt(var + eps)
    y *= weight
    y += bias
    return y, mean.detach(), var.detach()


def train_with_std_mean(x, weight, bias, *, eps=1e-5):
    std, mean = torch.std_mean(x, dim=0, unbiased=False)
    return (x - mean) / torch.sqrt(std**2 + eps) * weight + bias, mean, std**2


def train_with_any_arguments(*args, **kwargs):
    x, weight, bias, *rest = args
    eps = rest[0] if rest else kwargs.get("eps", 1e-5)

    def normalize_feature(column, gamma, beta):
        mean, var = column.mean(), column.var(correction=0)
        return gamma * (column - mean) / (var + eps).sqrt() + beta, mean, var

    return torch.vmap(normalize_feature, in_dims=(1, 0, 0), out_dims=(1, 0, 0))(x, weight, bias)


class TrainWithItsOwnBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, eps):
        mean, var = x.mean(0), x.var(0, unbiased=False)
        std = torch.sqrt(var + eps)
        x_hat = (x - mean) / std
        ctx.save_for_backward(x_hat, weight, std)
        ctx.mark_non_differentiable(mean, var)
        return weight * x_hat + bias, mean, var

    @staticmethod
    def backward(ctx, grad_output, *_):
        x_hat, weight, std = ctx.saved_tensors
        through_var = x_hat * (grad_output * x_hat).mean(0)
        grad_x = weight / std * (grad_output - grad_output.mean(0) - through_var)
        return grad_x, (grad_output * x_hat).sum(0), grad_output.sum(0), None


def train_with_autograd_function(x, weight, bias, eps=1e-5):
    return TrainWithItsOwnBackward.apply(x, weight, bias, eps)


# --- batch_norm_backward ------------------------------------------------------------------------------------


def backward_compact(grad_output, x, weight, eps=1e-5):
    var, mean = torch.var_mean(x, 0, correction=0)
    inv_std = 1 / torch.sqrt(var + eps)
    x_hat = (x - mean) * inv_std
    grad_bias = grad_output.sum(0)
    grad_weight = (grad_output * x_hat).sum(0)
    n = x.shape[0]
    grad_x = weight * inv_std / n * (n * grad_output - grad_bias - x_hat * grad_weight)
    return grad_x, grad_weight, grad_bias


def backward_as_in_the_paper(grad_output, x, weight, eps=1e-5):
    m = x.size(0)
    mu = x.mean(0)
    var = ((x - mu) ** 2).mean(0)
    x_hat = (x - mu) / (var + eps) ** 0.5
    dx_hat = grad_output * weight
    dvar = (dx_hat * (x - mu) * -0.5 * (var + eps) ** -1.5).sum(0)
    dmu = (-dx_hat / (var + eps) ** 0.5).sum(0) + dvar * (-2 * (x - mu)).mean(0)
    dx = dx_hat / (var + eps) ** 0.5 + dvar * 2 * (x - mu) / m + dmu / m
    return dx, (grad_output * x_hat).sum(0), grad_output.sum(0)


def backward_through_the_graph(grad_output, x, weight, eps=1e-5):
    """One node of the computational graph after the other, backwards."""
    n = x.shape[0]
    centered = x - x.mean(0)
    squares = centered**2
    std = torch.sqrt(squares.mean(0) + eps)
    x_hat = centered / std

    grad_bias = grad_output.sum(0)
    grad_weight = (x_hat * grad_output).sum(0)
    grad_x_hat = grad_output * weight
    grad_std = -(grad_x_hat * centered).sum(0) / std**2
    grad_var = grad_std / (2 * std)
    grad_squares = grad_var.expand_as(x) / n
    grad_centered = grad_x_hat / std + 2 * centered * grad_squares
    grad_mean = -grad_centered.sum(0)
    grad_x = grad_centered + grad_mean / n
    return grad_x, grad_weight, grad_bias


def backward_with_the_jacobian(grad_output, x, weight, eps=1e-5):
    """Feature by feature, with the N × N matrix of ∂yᵢ/∂xⱼ."""
    n, features = x.shape
    eye, ones = torch.eye(n, dtype=x.dtype), torch.ones(n, n, dtype=x.dtype)
    grad_x = torch.empty_like(x)
    grad_weight = torch.empty_like(weight)
    for c in range(features):
        centered = x[:, c] - x[:, c].mean()
        std = (centered.square().mean() + eps).sqrt()
        x_hat = centered / std
        jacobian = weight[c] / std * (eye - ones / n - torch.outer(x_hat, x_hat) / n)
        grad_x[:, c] = jacobian.T @ grad_output[:, c]
        grad_weight[c] = x_hat.dot(grad_output[:, c])
    return grad_x, grad_weight, grad_output.sum(dim=0)


def backward_by_projecting(grad_output, x, weight, eps=1e-5):
    """Remove from the gradient its mean and its component along x̂."""
    var, mean = torch.var_mean(x, dim=0, unbiased=False, keepdim=True)
    x_hat = (x - mean) * torch.rsqrt(var + eps)
    g = grad_output * weight
    g = g - g.mean(0, keepdim=True) - x_hat * torch.einsum("nc,nc->c", g, x_hat) / len(x)
    return g * torch.rsqrt(var + eps), torch.einsum("nc,nc->c", grad_output, x_hat), grad_output.sum(0)


# --- batch_norm_eval ----------------------------------------------------------------------------------------


def eval_by_the_formula(x, running_mean, running_var, weight, bias, eps=1e-5):
    return weight * (x - running_mean) / torch.sqrt(running_var + eps) + bias


def eval_as_an_affine_map(x, running_mean, running_var, weight, bias, eps=1e-5):
    scale = weight / (running_var + eps).sqrt()
    shift = bias - running_mean * scale
    return x * scale + shift


def eval_row_by_row(x, running_mean, running_var, weight, bias, eps=1e-5):
    inv_std = torch.pow(running_var + eps, -0.5)
    return torch.stack([(row - running_mean) * inv_std * weight + bias for row in x])


def eval_with_linear(x, running_mean, running_var, weight, bias, eps=1e-5):
    scale = weight / torch.sqrt(running_var + eps)
    return torch.nn.functional.linear(x, torch.diag(scale), bias - running_mean * scale)


def eval_with_matmul(x, running_mean, running_var, weight, bias, eps=1e-5):
    return (x - running_mean[None, :]) @ torch.diag(weight * torch.rsqrt(running_var + eps)) + bias[None, :]


RIGHT = {
    "batch_norm_train": {
        "var(unbiased=False)": train_with_unbiased_false,
        "((x - m)**2).mean()": train_by_definition,
        "var_mean, rsqrt, addcmul": train_with_var_mean_and_rsqrt,
        "einsum": train_with_einsum,
        "loops": train_with_loops,
        "float64 inside": train_in_float64,
        "transposed, methods only": train_on_the_transpose,
        "in place on a copy, detached statistics": train_in_place_on_a_copy,
        "std_mean, eps by keyword only": train_with_std_mean,
        "any arguments, vmap": train_with_any_arguments,
        "autograd.Function": train_with_autograd_function,
    },
    "batch_norm_backward": {
        "compact": backward_compact,
        "as in the paper": backward_as_in_the_paper,
        "through the graph": backward_through_the_graph,
        "jacobian": backward_with_the_jacobian,
        "projection": backward_by_projecting,
    },
    "batch_norm_eval": {
        "formula": eval_by_the_formula,
        "affine map": eval_as_an_affine_map,
        "row by row": eval_row_by_row,
        "matmul": eval_with_matmul,
        "F.linear": eval_with_linear,
    },
}
