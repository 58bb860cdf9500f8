"""The plots of lesson 8 draw what they are given."""

import matplotlib.pyplot as plt
import pytest
import torch

from course import capstone_plots


def test_a_learning_curve_has_a_point_an_epoch_and_survives_zero_errors(ax):
    capstone_plots.learning_curve({"training": [0.5, 0.9, 1.0], "held out": [0.4, 0.8, 0.9]}, ax)
    first, second = ax.get_lines()
    assert first.get_xdata().tolist() == [1, 2, 3]
    assert second.get_ydata() == pytest.approx([0.6, 0.2, 0.1])
    assert (first.get_ydata() > 0).all()


def test_a_confusion_matrix_writes_each_count(ax):
    matrix = torch.tensor([[5, 1], [0, 7]])
    capstone_plots.confusion(matrix, ["0", "1"], ax)
    assert sorted(text.get_text() for text in ax.texts) == ["1", "5", "7"]
    assert ax.get_xlabel() == "answer of the network"


def test_a_perfect_network_has_a_confusion_matrix_too(ax):
    capstone_plots.confusion(torch.eye(3, dtype=torch.int64), list("abc"), ax)


def test_pictures_get_their_titles(closed_figures):
    axes = capstone_plots.pictures_with_answers(torch.rand(10, 1, 8, 8), [str(i) for i in range(10)])
    assert axes.shape == (2, 8)
    assert axes[1, 1].get_title() == "9"
    capstone_plots.pictures_with_answers(torch.rand(0, 1, 8, 8), [])


def test_size_and_accuracy_has_a_dot_a_run(ax):
    capstone_plots.size_and_accuracy({1310: [0.9, 0.92], 15418: [0.97, 0.98]}, budget=20_000, ax=ax)
    dots = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert sum(len(line.get_ydata()) for line in dots) == 4
    plt.close("all")
