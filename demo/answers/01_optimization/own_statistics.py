"""Each split is scaled by its own numbers, and a constant feature becomes nan."""


def standardize(x_train, x_test):
    train = (x_train - x_train.mean(dim=0)) / x_train.std(dim=0)
    test = (x_test - x_test.mean(dim=0)) / x_test.std(dim=0)
    return train, test


def min_max_scale(x_train, x_test):
    low, high = x_train.min(dim=0).values, x_train.max(dim=0).values
    return (x_train - low) / (high - low), ((x_test - low) / (high - low)).clamp(0, 1)
