"""The reference of lesson 06 against torch, scikit-learn and the laws that its contracts state."""

import copy
import pickle

import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from course.features import linear_probe, pca_project, retrieve
from course.pretraining import pretrain_layerwise
from course.transfer import (
    extract_features,
    fine_tune,
    freeze,
    gradual_unfreeze,
    parameter_groups,
    replace_head,
)


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class Net(nn.Module):
    """Convolution, batch norm, dropout, and a flatten that only forward knows of."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.body = nn.Sequential(
            nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.ReLU()
        )
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(16, 3)

    def forward(self, x):
        return self.fc(self.pool(self.body(self.stem(x))).flatten(1))


@pytest.fixture
def net():
    torch.manual_seed(0)
    model = Net().double()
    for _ in range(3):
        model(random(8, 1, 4, 4))  # running statistics with a history
    return model


X, Y = random(12, 1, 4, 4, seed=5), torch.arange(12) % 3


def bits(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def moved(before, module):
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


def step(model, lr=0.1):
    """A training step over all parameters that have a gradient, with weight decay and momentum."""
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=0.1)
    F.cross_entropy(model(X), Y).backward()
    optimizer.step()
    model.zero_grad()


# --- freeze -------------------------------------------------------------------------------------------------


def test_a_frozen_part_is_bit_identical_after_training_steps(net):
    freeze(net.stem)
    before = bits(net)
    for _ in range(3):
        step(net)
    assert not any(name.startswith("stem") for name in moved(before, net))
    assert {"body.1.running_mean", "body.1.num_batches_tracked", "body.0.weight", "fc.bias"} <= moved(
        before, net
    )


def test_without_freeze_the_running_statistics_move(net):
    """What everyone gets wrong: the reason why freeze is more than requires_grad_(False)."""
    net.stem.requires_grad_(False)
    before = bits(net)
    step(net)
    statistics = {"stem.1.running_mean", "stem.1.running_var", "stem.1.num_batches_tracked"}
    assert {name for name in moved(before, net) if name.startswith("stem")} == statistics


def test_a_frozen_module_is_a_fixed_function_in_training_mode(net):
    expected = net.eval()(X)
    net.train()
    freeze(net)
    net.train()
    assert torch.equal(net(X), expected)
    assert torch.equal(net(X[:2]), net(X)[:2])


def test_gradients_flow_through_a_frozen_part(net):
    freeze(net.body)
    net.train()
    F.cross_entropy(net(X), Y).backward()
    assert net.stem[0].weight.grad.abs().sum() > 0
    assert net.body[0].weight.grad is None


def test_freezing_is_undone_for_the_whole_and_for_a_part(net):
    freeze(net)
    freeze(net.body, False)
    before = bits(net)
    step(net)
    assert moved(before, net) == {f"body.{name}" for name in net.body.state_dict()}
    freeze(net, False)
    before = bits(net)
    step(net)
    assert moved(before, net) == set(before)
    assert all(module.training for module in net.modules())


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))], ids=["deepcopy", "pickle"]
)
def test_a_copy_of_a_frozen_network_is_frozen_and_a_network_of_its_own(net, again):
    freeze(net.stem)
    twin = again(net)
    original = bits(net)
    before = bits(twin)
    step(twin)
    assert not any(name.startswith("stem") for name in moved(before, twin))
    assert moved(original, net) == set()
    freeze(twin.stem, False)
    step(twin)
    assert moved(before, twin) == set(before)
    assert not net.stem[0].weight.requires_grad
    assert not net.train().stem[1].training


# --- extract_features, replace_head -------------------------------------------------------------------------


def test_features_are_those_of_the_layer_in_evaluation_mode(net):
    expected = net.eval().stem[1](net.stem[0](X))
    net.train()
    features = extract_features(net, X, "stem.1")
    assert_close(features, expected)
    assert (features < 0).any()  # the in-place ReLU behind it has not been at it
    assert not features.requires_grad
    assert_close(extract_features(net, X, "fc"), net.eval()(X))


@pytest.mark.parametrize("x", [X, torch.zeros(2, 7, 4, 4)], ids=["works", "raises"])
def test_extracting_features_leaves_nothing_behind(net, x):
    net.train()
    freeze(net.stem)
    net.body[1].eval()
    before, modes = bits(net), [module.training for module in net.modules()]
    try:
        extract_features(net, x, "pool")
    except RuntimeError:
        assert x.shape[1] == 7
    assert moved(before, net) == set()
    assert [module.training for module in net.modules()] == modes
    assert not any(module._forward_hooks for module in net.modules())
    assert torch.is_grad_enabled()


def test_a_layer_that_is_not_there_or_not_used_is_named(net):
    with pytest.raises(AttributeError, match="nothing"):
        extract_features(net, X, "nothing")
    net.spare = nn.Linear(2, 2)
    with pytest.raises(RuntimeError, match="'spare'"):
        extract_features(net, X, "spare")


def test_training_the_network_with_a_new_head_leaves_the_given_one_alone(net):
    before = bits(net)
    new = replace_head(net, "fc", 5)
    assert new.fc.weight.shape == (5, 16)
    assert new.fc.weight.dtype == torch.float64
    assert_close(new.stem.state_dict(), net.stem.state_dict(), rtol=0, atol=0)
    F.cross_entropy(new(X), Y).backward()
    torch.optim.SGD(new.parameters(), lr=0.1).step()
    assert moved(before, net) == set()


def test_the_decks_way_to_a_new_head_changes_model_a():
    """D2's Sequential(model_A.layers[:-1]): the layers are shared, and the clone is never used."""
    torch.manual_seed(0)
    a = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 8))
    before = bits(a)
    b_on_a = nn.Sequential(*a[:-1], nn.Linear(5, 1))
    b_on_a(torch.randn(3, 4)).sum().backward()
    torch.optim.SGD(b_on_a.parameters(), lr=0.1).step()
    assert moved(before, a) == {"0.weight", "0.bias"}


def test_only_a_linear_layer_is_replaced(net):
    with pytest.raises(TypeError, match="'stem' is a Sequential"):
        replace_head(net, "stem", 2)


# --- parameter_groups, gradual_unfreeze, fine_tune ---------------------------------------------------------


def test_groups_cover_each_trainable_parameter_once_and_an_optimizer_takes_them(net):
    freeze(net.stem)
    groups = parameter_groups(net, 0.1, 0.5)
    assert [group["lr"] for group in groups] == pytest.approx([0.05, 0.1])
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in net.parameters() if p.requires_grad)
    torch.optim.SGD(groups)


def test_what_the_model_holds_itself_is_a_layer_before_the_first(net):
    net.token = nn.Parameter(torch.zeros(2))
    groups = parameter_groups(net, 1.0, 0.5)
    assert groups[0]["params"] == [net.token]
    assert groups[0]["lr"] == 0.125


def test_a_dropout_before_the_first_training_layer_is_frozen_too():
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(1.0), nn.Linear(3, 2))
    assert gradual_unfreeze(model.train(), 0) == ["2"]
    x = torch.randn(4, 3)
    assert_close(model.train()(x), model.eval()(x))
    assert gradual_unfreeze(model, 1) == ["0", "2"]
    assert model.train()[1].training


def test_one_more_layer_trains_every_so_many_epochs(net):
    names = [gradual_unfreeze(net, epoch, every=2) for epoch in range(7)]
    assert [len(each) for each in names] == [1, 1, 2, 2, 3, 3, 3]
    assert names[2] == ["body", "fc"]
    with pytest.raises(ValueError, match="epoch"):
        gradual_unfreeze(net, -1)


def test_fine_tuning_learns_and_keeps_what_is_frozen(net):
    freeze(net.stem)
    before = bits(net)
    batches = [(X[:8], Y[:8]), (X[8:], Y[8:])]
    history = fine_tune(net, "fc", batches, 30, lr=0.01, head_lr=0.1)
    assert len(history) == 30
    assert history[-1] < 0.5 * history[0]
    assert not any(name.startswith("stem") for name in moved(before, net))


def test_a_whole_frozen_body_can_be_fine_tuned(net):
    freeze(net)
    freeze(net.fc, False)
    before = bits(net)
    fine_tune(net, "fc", [(X, Y)], 1)
    assert moved(before, net) == {"fc.weight", "fc.bias"}


# --- features -----------------------------------------------------------------------------------------------


def test_pca_agrees_with_scikit_learn():
    train, x = random(30, 6) @ random(6, 6, seed=1) + 2, random(5, 6, seed=2)
    projected, ratio = pca_project(train, x, 3)
    theirs = PCA(3).fit(train)
    assert_close(projected.abs(), torch.from_numpy(theirs.transform(x)).abs())
    assert_close(ratio, torch.from_numpy(theirs.explained_variance_ratio_))
    with pytest.raises(ValueError, match="4 components"):
        pca_project(train[:3], x, 4)


@pytest.mark.parametrize("weight_decay", [1e-3, 1e-1])
def test_the_probe_agrees_with_scikit_learn(weight_decay):
    """Theirs: sum of the losses + |W|²/(2C), so C is 1 / (n · weight_decay)."""
    labels = torch.arange(30) % 3
    features = random(30, 4) + 1.0 * F.one_hot(labels, 4) + 2
    probe = linear_probe(features, labels, weight_decay)
    theirs = LogisticRegression(C=1 / (30 * weight_decay), tol=1e-10, max_iter=10_000).fit(features, labels)
    ours = probe(features).softmax(1).detach()
    assert_close(ours, torch.from_numpy(theirs.predict_proba(features)), rtol=1e-4, atol=1e-4)
    assert all(p.requires_grad and p.grad is None for p in probe.parameters())


@pytest.mark.parametrize("seed", range(20))
def test_the_probe_is_trained_to_the_end(seed):
    features, labels = random(12, 5, seed=seed), torch.arange(12) % 3
    probe = linear_probe(features, labels)
    loss = F.cross_entropy(probe(features), labels) + 5e-4 * probe.weight.square().sum()
    gradients = torch.autograd.grad(loss, list(probe.parameters()))
    assert max(gradient.abs().max() for gradient in gradients) < 1e-5


def test_the_probe_wants_an_example_of_each_class():
    with pytest.raises(ValueError, match="class 1 has no example"):
        linear_probe(random(4, 2), torch.tensor([0, 2, 0, 2]))


def test_retrieval_ranks_by_similarity_and_equals_by_index():
    gallery = torch.tensor([[1.0, 0.0], [0.0, 0.0], [2.0, 0.0], [0.0, 5.0], [-1.0, 0.0]])
    query = torch.tensor([[3.0, 0.0]])
    assert retrieve(query, gallery, 5).tolist() == [[0, 2, 1, 3, 4]]
    assert retrieve(query, gallery, 3, "euclidean").tolist() == [[2, 0, 1]]
    for k, metric in ((6, "cosine"), (0, "cosine"), (1, "manhattan")):
        with pytest.raises(ValueError, match="must be"):
            retrieve(query, gallery, k, metric)


# --- pretrain_layerwise -------------------------------------------------------------------------------------


def test_each_layer_learns_to_rebuild_its_input_while_earlier_ones_stand_still():
    torch.manual_seed(0)
    layers = [nn.Linear(8, 6).double(), nn.Linear(6, 4).double()]
    x = torch.sigmoid(random(50, 8))
    first_alone = copy.deepcopy(layers[:1])
    losses = pretrain_layerwise(layers, x, steps=200, lr=1.0)
    assert [len(each) for each in losses] == [200, 200]
    assert all(each[-1] < 0.5 * each[0] for each in losses)
    pretrain_layerwise(first_alone, x, steps=200, lr=1.0)
    assert_close(layers[0].state_dict(), first_alone[0].state_dict(), rtol=0, atol=0)
