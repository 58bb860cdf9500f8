"""The penalty as Keras writes it, without the half."""


def l2_penalty(parameters, weight_decay):
    return weight_decay * sum((parameter**2).sum() for parameter in parameters)
