"""How students get `zero_init_residual` wrong."""

from __future__ import annotations

import copy

import torch
from torch import nn

from course.checks.collect import Mistakes
from course.residual import BasicBlock, Bottleneck

ZERO_INIT = Mistakes()
_mistake = ZERO_INIT.add


def _blocks(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, BasicBlock | Bottleneck)]


def _last_norm(block: nn.Module) -> nn.Module:
    return block.bn3 if isinstance(block, Bottleneck) else block.bn2


@_mistake(
    "the last norms keep their weight: bn2 of a BasicBlock, bn3 of a Bottleneck. Change the model itself, "
    "not a copy, and ask for your own class, not for `reference.BasicBlock`."
)
def changes_a_copy(model):
    model = copy.deepcopy(model)
    for block in _blocks(model):
        nn.init.zeros_(_last_norm(block).weight)
    return model


@_mistake("only BasicBlocks are handled. The last norm of a Bottleneck is bn3.")
def bottleneck_forgotten(model):
    for block in _blocks(model):
        if isinstance(block, BasicBlock):
            nn.init.zeros_(block.bn2.weight)


@_mistake("bn2 is not the last norm of a Bottleneck: that is bn3.")
def second_norm_of_every_block(model):
    for block in _blocks(model):
        nn.init.zeros_(block.bn2.weight)


@_mistake("bn2 of a Bottleneck is zeroed as well as bn3. Only the last norm of a block is: write `elif`.")
def both_norms_of_a_bottleneck(model):
    for block in _blocks(model):
        nn.init.zeros_(block.bn2.weight)
        nn.init.zeros_(_last_norm(block).weight)


@_mistake("bn1 is the first norm of a block. The last one ends the branch: bn2, of a Bottleneck bn3.")
def first_norm(model):
    for block in _blocks(model):
        nn.init.zeros_(block.bn1.weight)


@_mistake("all norms are zeroed, also those inside of the branch and the stem's: no signal gets through.")
def all_norms(model):
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.zeros_(module.weight)


@_mistake("all norms of the block are zeroed. Only the last one is: the others must keep the signal alive.")
def all_norms_of_a_block(model):
    for block in _blocks(model):
        for module in block.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.zeros_(module.weight)


@_mistake("all norms of the branch are zeroed. Only the last one is: with bn1 at 0 too, nothing would learn.")
def all_norms_of_a_branch(model):
    for block in _blocks(model):
        for norm in (block.bn1, block.bn2, getattr(block, "bn3", block.bn2)):
            nn.init.zeros_(norm.weight)


@_mistake(
    "the projection's norm is zeroed as well, so nothing gets through this block. Leave the skip as it is."
)
def projection_too(model):
    for block in _blocks(model):
        nn.init.zeros_(_last_norm(block).weight)
        if block.downsample is not None:
            nn.init.zeros_(block.downsample[1].weight)


@_mistake(
    "in blocks with a projection the last norm keeps its weight. Take bn2 or bn3 by name: the last one in "
    "block.modules() is the projection's."
)
def last_norm_in_the_list(model):
    for block in _blocks(model):
        norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
        nn.init.zeros_(norms[-1].weight)


@_mistake("the bias is zeroed, not the weight. With weight 1 the branch still adds its normed values.")
def bias_in_place_of_weight(model):
    for block in _blocks(model):
        nn.init.zeros_(_last_norm(block).bias)


@_mistake("the bias is changed as well. It starts at 0 by itself; only the weight is set here.")
def weight_and_bias(model):
    for block in _blocks(model):
        nn.init.zeros_(_last_norm(block).weight)
        nn.init.zeros_(_last_norm(block).bias)


@_mistake("the last convolution is zeroed. Zero the weight of the norm behind it.")
def convolution_in_place_of_norm(model):
    for block in _blocks(model):
        nn.init.zeros_((block.conv3 if isinstance(block, Bottleneck) else block.conv2).weight)


@_mistake("only the last block of each stage is handled. Every block has a branch to put to sleep.")
def last_block_of_a_stage(model):
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        nn.init.zeros_(_last_norm(stage[-1]).weight)


@_mistake("only the first block of each stage is handled. Every block has a branch to put to sleep.")
def first_block_of_a_stage(model):
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        nn.init.zeros_(_last_norm(stage[0]).weight)


@_mistake("only blocks without a projection are handled. Those with one have a branch, too.")
def only_identity_blocks(model):
    for block in _blocks(model):
        if block.downsample is None:
            nn.init.zeros_(_last_norm(block).weight)


@_mistake("the weight is 1, where it starts anyway. It is set to 0.")
def ones(model):
    for block in _blocks(model):
        nn.init.ones_(_last_norm(block).weight)


@_mistake("the zeroed weights are frozen (requires_grad is off), so the branch never wakes up.")
def frozen(model):
    for block in _blocks(model):
        nn.init.zeros_(_last_norm(block).weight).requires_grad_(False)


@_mistake(
    "a tensor of zeros takes the parameter's place. Write into the parameter: nn.init.zeros_(bn.weight)."
)
def parameter_replaced_by_a_tensor(model):
    for block in _blocks(model):
        norm = _last_norm(block)
        size = norm.weight.shape
        del norm.weight
        norm.weight = torch.zeros(size)


@_mistake(
    "a new nn.Parameter takes the old one's place, which an optimizer may hold already. Write into the old "
    "one: nn.init.zeros_(bn.weight)."
)
def parameter_replaced_by_a_new_one(model):
    for block in _blocks(model):
        norm = _last_norm(block)
        norm.weight = nn.Parameter(torch.zeros_like(norm.weight))


@_mistake("gradients stay switched off, so nothing learns any more. Write `with torch.no_grad():` instead.")
def gradients_left_off(model):
    torch.set_grad_enabled(False)
    for block in _blocks(model):
        _last_norm(block).weight.zero_()


@_mistake("the running statistics are reset. Only the weight of the last norm is set.")
def statistics_reset(model):
    for block in _blocks(model):
        _last_norm(block).reset_parameters()
        nn.init.zeros_(_last_norm(block).weight)
