"""How students get `count_parameters`, `confusion_matrix` and `accuracy_with_error` wrong."""

from __future__ import annotations

import torch

from course.checks.collect import Mistakes

COUNT = Mistakes()
CONFUSION = Mistakes()
ERROR = Mistakes()

# --- count_parameters ---------------------------------------------------------------------------------------


@COUNT.add("you count the frozen parameters too. Only those with requires_grad can change.")
def frozen_too(model):
    return sum(p.numel() for p in model.parameters())


@COUNT.add("you count the frozen parameters and leave out the others: the condition is the wrong way round.")
def frozen_only(model):
    return sum(p.numel() for p in model.parameters() if not p.requires_grad)


@COUNT.add("you count the state_dict. It also holds the buffers of batch norm, which no gradient changes.")
def whole_state_dict(model):
    return sum(tensor.numel() for tensor in model.state_dict().values())


@COUNT.add("you count the buffers of batch norm as well. They are no parameters.")
def buffers_too(model):
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return trained + sum(b.numel() for b in model.buffers())


@COUNT.add("you count the tensors and not the numbers in them: use numel().")
def tensors_counted(model):
    return sum(1 for p in model.parameters() if p.requires_grad)


@COUNT.add("len(p) is the size of the first axis only. Use numel().")
def first_axis(model):
    return sum(len(p) for p in model.parameters() if p.requires_grad)


@COUNT.add("you leave out the biases and the vectors of batch norm.")
def no_biases(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad and p.dim() > 1)


@COUNT.add("you count by name, and the biases only.")
def biases_only(model):
    return sum(p.numel() for name, p in model.named_parameters() if name.endswith("bias") and p.requires_grad)


@COUNT.add("two layers share a parameter, and you count it twice. model.parameters() has each once.")
def shared_twice(model):
    return sum(p.numel() for m in model.modules() for p in m.parameters(recurse=False) if p.requires_grad)


@COUNT.add(
    "you look at the first layers only: a layer inside of a layer is not in children(). "
    "Use model.parameters()."
)
def direct_children_only(model):
    return sum(p.numel() for m in model.children() for p in m.parameters(recurse=False) if p.requires_grad)


@COUNT.add("parameters of nested layers are counted once for each layer around them.")
def nested_again(model):
    return sum(p.numel() for m in model.modules() for p in m.parameters() if p.requires_grad)


@COUNT.add("you return the shapes. Multiply each and add: numel().")
def shapes_returned(model):
    return [tuple(p.shape) for p in model.parameters()]


@COUNT.add("you return a tensor. A count is an int.")
def as_a_tensor(model):
    return torch.tensor(sum(p.numel() for p in model.parameters() if p.requires_grad))


@COUNT.add("you return a float. A count is an int.")
def as_a_float(model):
    return float(sum(p.numel() for p in model.parameters() if p.requires_grad))


@COUNT.add("you count thousands. Return the number itself.")
def in_thousands(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad) // 1000


@COUNT.add("you unfreeze the parameters to count them. A function that counts changes nothing.")
def unfreezes(model):
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    model.requires_grad_(True)
    return trained


# --- confusion_matrix ---------------------------------------------------------------------------------------


def _counts(rows, columns, n):
    return torch.bincount(rows * n + columns, minlength=n * n).reshape(n, n)


@CONFUSION.add("rows and columns are exchanged: the row is the true class, the column is the answer.")
def transposed(predictions, labels, num_classes):
    return _counts(predictions, labels, num_classes)


@CONFUSION.add(
    "M[labels, predictions] += 1 adds 1 only once where an index occurs several times. "
    "Use bincount, or index_put_ with accumulate=True."
)
def no_accumulation(predictions, labels, num_classes):
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    matrix[labels, predictions] += 1
    return matrix


@CONFUSION.add("you divide by the number of examples. The matrix holds counts.")
def shares(predictions, labels, num_classes):
    return _counts(labels, predictions, num_classes) / len(labels)


@CONFUSION.add("you divide each row by its sum. The matrix holds counts.")
def rows_normalized(predictions, labels, num_classes):
    counts = _counts(labels, predictions, num_classes)
    return counts / counts.sum(1, keepdim=True)


@CONFUSION.add("the counts are floats. Counts are int64: make the matrix with dtype=torch.int64.")
def floats(predictions, labels, num_classes):
    return _counts(labels, predictions, num_classes).float()


@CONFUSION.add("the size comes from the largest class that occurs. Use num_classes: a class may be absent.")
def size_from_the_data(predictions, labels, num_classes):
    n = int(max(predictions.max(), labels.max())) + 1
    return _counts(labels, predictions, n)


@CONFUSION.add("the size comes from the labels alone. An answer may be a class that no label has.")
def size_from_the_labels(predictions, labels, num_classes):
    n = int(labels.max()) + 1
    known = predictions < n
    return _counts(labels[known], predictions[known], n)


@CONFUSION.add("the diagonal is empty: you count only the errors. The right answers belong there too.")
def errors_only(predictions, labels, num_classes):
    return _counts(labels, predictions, num_classes).fill_diagonal_(0)


@CONFUSION.add("only the diagonal is filled: you count only the right answers.")
def right_ones_only(predictions, labels, num_classes):
    return torch.diag(torch.bincount(labels[labels == predictions], minlength=num_classes))


@CONFUSION.add(
    "the matrix is symmetric: you count both directions. A 3 taken for a 5 is not a 5 taken for a 3."
)
def both_directions(predictions, labels, num_classes):
    counts = _counts(labels, predictions, num_classes)
    return counts + counts.T


@CONFUSION.add("the last example is missing: range(len(labels) - 1) stops one early.")
def last_one_missing(predictions, labels, num_classes):
    return _counts(labels[:-1], predictions[:-1], num_classes)


@CONFUSION.add("you return the flat counts. Reshape them to (num_classes, num_classes).")
def not_reshaped(predictions, labels, num_classes):
    return torch.bincount(labels * num_classes + predictions, minlength=num_classes**2)


@CONFUSION.add("the matrix is upside down: class 0 belongs in row 0.")
def upside_down(predictions, labels, num_classes):
    return _counts(labels, predictions, num_classes).flip(0)


@CONFUSION.add("you return a list of lists. Return a tensor.")
def as_lists(predictions, labels, num_classes):
    return _counts(labels, predictions, num_classes).tolist()


@CONFUSION.add("you return the share of right answers. The matrix has a number for each pair of classes.")
def accuracy_instead(predictions, labels, num_classes):
    return (predictions == labels).float().mean()


# --- accuracy_with_error ------------------------------------------------------------------------------------


def _right(logits, labels):
    return (logits.argmax(1) == labels).to(logits.dtype)


@ERROR.add("argmax goes over the batch. The classes are axis 1: argmax(dim=1).")
def argmax_over_the_batch(logits, labels):
    right = (logits.argmax(0) == labels[: logits.shape[1]]).to(logits.dtype)
    a = right.mean()
    return a, (a * (1 - a) / len(labels)).sqrt()


@ERROR.add("you take the smallest logit. The answer is the largest.")
def smallest_logit(logits, labels):
    a = (logits.argmin(1) == labels).to(logits.dtype).mean()
    return a, (a * (1 - a) / len(labels)).sqrt()


@ERROR.add("you return the share of wrong answers.")
def share_of_errors(logits, labels):
    a = 1 - _right(logits, labels).mean()
    return a, (a * (1 - a) / len(labels)).sqrt()


@ERROR.add("you return the number of right answers. Divide by N.")
def number_right(logits, labels):
    right = _right(logits, labels)
    a = right.mean()
    return right.sum(), (a * (1 - a) / len(labels)).sqrt()


@ERROR.add("you return percent. The accuracy lies between 0 and 1.")
def percent(logits, labels):
    a = _right(logits, labels).mean()
    return 100 * a, 100 * (a * (1 - a) / len(labels)).sqrt()


@ERROR.add("the root is missing: a(1-a)/N is the variance of the accuracy.")
def variance(logits, labels):
    a = _right(logits, labels).mean()
    return a, a * (1 - a) / len(labels)


@ERROR.add(
    "the error does not shrink with N: you return the standard deviation of a single answer. "
    "Divide by the root of N."
)
def deviation_of_one_answer(logits, labels):
    a = _right(logits, labels).mean()
    return a, (a * (1 - a)).sqrt()


@ERROR.add("you divide by N outside of the root. It is the root of a(1-a)/N.")
def divided_by_n(logits, labels):
    a = _right(logits, labels).mean()
    return a, (a * (1 - a)).sqrt() / len(labels)


@ERROR.add("you divide by N-1, as std() does unless you say correction=0. The formula has N.")
def unbiased_deviation(logits, labels):
    right = _right(logits, labels)
    return right.mean(), right.std() / len(labels) ** 0.5


@ERROR.add("you return 1.96 standard errors, half of the 95 % interval. Return one.")
def two_errors(logits, labels):
    a = _right(logits, labels).mean()
    return a, 1.96 * (a * (1 - a) / len(labels)).sqrt()


@ERROR.add("1/sqrt(N) is only a bound. The error depends on the accuracy: the root of a(1-a)/N.")
def bound_only(logits, labels):
    a = _right(logits, labels).mean()
    return a, a.new_tensor(len(labels) ** -0.5)


@ERROR.add("you use a/N: that is for counts of rare events. Here it is a(1-a)/N.")
def poisson(logits, labels):
    a = _right(logits, labels).mean()
    return a, (a / len(labels)).sqrt()


@ERROR.add("N is the number of examples, len(labels). You divide by the number of classes.")
def number_of_classes(logits, labels):
    a = _right(logits, labels).mean()
    return a, (a * (1 - a) / logits.shape[1]).sqrt()


@ERROR.add("error and accuracy are exchanged: the accuracy comes first.")
def exchanged(logits, labels):
    a = _right(logits, labels).mean()
    return (a * (1 - a) / len(labels)).sqrt(), a


@ERROR.add("you compare in percent and the error in shares. Both are shares.")
def accuracy_in_percent(logits, labels):
    a = _right(logits, labels).mean()
    return 100 * a, (a * (1 - a) / len(labels)).sqrt()


@ERROR.add("you average the probability of the right class. Accuracy counts right answers.")
def mean_probability(logits, labels):
    a = logits.softmax(1).gather(1, labels[:, None]).mean()
    return a, (a * (1 - a) / len(labels)).sqrt()


@ERROR.add("you return the accuracy alone. The standard error belongs to it.")
def no_error(logits, labels):
    return _right(logits, labels).mean()


@ERROR.add("you return the interval. Return the accuracy and its standard error.")
def interval(logits, labels):
    a = _right(logits, labels).mean()
    e = 1.96 * (a * (1 - a) / len(labels)).sqrt()
    return a - e, a + e
