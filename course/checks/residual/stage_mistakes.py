"""How students get `make_layer` wrong."""

from __future__ import annotations

import copy

from torch import nn

from course.checks.collect import Mistakes

MAKE_LAYER = Mistakes()
_mistake = MAKE_LAYER.add


@_mistake("every block has the stride, so the picture shrinks with each. Only the first one has it.")
def stride_in_every_block(block, in_channels, channels, blocks, stride=1):
    others = [block(channels * block.expansion, channels, stride) for _ in range(blocks - 1)]
    return nn.Sequential(block(in_channels, channels, stride), *others)


@_mistake("the last block has the stride. It belongs to the first, so that the others work on fewer pixels.")
def stride_in_the_last_block(block, in_channels, channels, blocks, stride=1):
    strides = [1] * (blocks - 1) + [stride]
    before = [in_channels] + [channels * block.expansion] * (blocks - 1)
    return nn.Sequential(*(block(n, channels, s) for n, s in zip(before, strides, strict=True)))


@_mistake("the stride is never passed on. The first block gets it: block(in_channels, channels, stride).")
def stride_ignored(block, in_channels, channels, blocks, stride=1):
    others = [block(channels * block.expansion, channels) for _ in range(blocks - 1)]
    return nn.Sequential(block(in_channels, channels), *others)


@_mistake("the stride is left out where the channels stay the same. The first block always gets it.")
def stride_with_new_channels_only(block, in_channels, channels, blocks, stride=1):
    out_channels = channels * block.expansion
    others = [block(out_channels, channels) for _ in range(blocks - 1)]
    return nn.Sequential(block(in_channels, channels, stride if in_channels != out_channels else 1), *others)


@_mistake("the first block always has stride 2. It has the stride of the call; layer1 of a ResNet has 1.")
def stride_always_two(block, in_channels, channels, blocks, stride=1):
    others = [block(channels * block.expansion, channels) for _ in range(blocks - 1)]
    return nn.Sequential(block(in_channels, channels, 2), *others)


@_mistake(
    "every block is made for in_channels. After the first one there are channels * block.expansion of them."
)
def channels_not_updated(block, in_channels, channels, blocks, stride=1):
    others = [block(in_channels, channels) for _ in range(blocks - 1)]
    return nn.Sequential(block(in_channels, channels, stride), *others)


@_mistake("the second block expects `channels` channels. The first one gives out channels * block.expansion.")
def expansion_forgotten(block, in_channels, channels, blocks, stride=1):
    others = [block(channels, channels) for _ in range(blocks - 1)]
    return nn.Sequential(block(in_channels, channels, stride), *others)


@_mistake("the expansion is 4 in your code whatever the block. Read it from the class: block.expansion.")
def expansion_of_four(block, in_channels, channels, blocks, stride=1):
    others = [block(channels * 4, channels) for _ in range(blocks - 1)]
    return nn.Sequential(block(in_channels, channels, stride), *others)


@_mistake("you pass channels * block.expansion to the block. It multiplies by itself: pass channels.")
def expansion_twice(block, in_channels, channels, blocks, stride=1):
    wide = channels * block.expansion
    return nn.Sequential(block(in_channels, wide, stride), *(block(wide, wide) for _ in range(blocks - 1)))


@_mistake("there is one block too many: the first one counts, so `blocks - 1` follow it.")
def one_block_too_many(block, in_channels, channels, blocks, stride=1):
    others = [block(channels * block.expansion, channels) for _ in range(blocks)]
    return nn.Sequential(block(in_channels, channels, stride), *others)


@_mistake("there is one block too few: range(1, blocks) already leaves the first one out.")
def one_block_too_few(block, in_channels, channels, blocks, stride=1):
    others = [block(channels * block.expansion, channels) for _ in range(1, blocks - 1)]
    return nn.Sequential(block(in_channels, channels, stride), *others)


@_mistake(
    "the same block stands there several times, with one set of weights. Make a new one for each place."
)
def one_block_repeated(block, in_channels, channels, blocks, stride=1):
    other = block(channels * block.expansion, channels)
    return nn.Sequential(block(in_channels, channels, stride), *[other] * (blocks - 1))


@_mistake("the blocks are copies of one block, so they start with equal weights. Call block(...) for each.")
def copies_of_one_block(block, in_channels, channels, blocks, stride=1):
    other = block(channels * block.expansion, channels)
    others = [copy.deepcopy(other) for _ in range(blocks - 1)]
    return nn.Sequential(block(in_channels, channels, stride), *others)


@_mistake(
    "your function returns a list. PyTorch does not see the weights in a list: return nn.Sequential(*blocks)."
)
def plain_list(block, in_channels, channels, blocks, stride=1):
    return [*right_blocks(block, in_channels, channels, blocks, stride)]


@_mistake(
    "an nn.ModuleList cannot be called. Return nn.Sequential(*blocks), which runs them one after the other."
)
def module_list(block, in_channels, channels, blocks, stride=1):
    return nn.ModuleList(right_blocks(block, in_channels, channels, blocks, stride))


@_mistake("the list itself went into nn.Sequential. Unpack it with a star: nn.Sequential(*blocks).")
def list_not_unpacked(block, in_channels, channels, blocks, stride=1):
    return nn.Sequential([*right_blocks(block, in_channels, channels, blocks, stride)])


@_mistake(
    "the others are in an nn.Sequential of their own. All blocks stand in one row: unpack them with a star."
)
def others_in_their_own_row(block, in_channels, channels, blocks, stride=1):
    first, *others = right_blocks(block, in_channels, channels, blocks, stride)
    return nn.Sequential(first, nn.Sequential(*others))


@_mistake(
    "you pass the block's second argument by name. It is `out_channels` in one class and `channels` in "
    "the other: pass it by position."
)
def second_argument_by_name(block, in_channels, channels, blocks, stride=1):
    return nn.Sequential(block(in_channels, out_channels=channels, stride=stride))


@_mistake("a ReLU follows each block. A block already ends with one.")
def relu_between(block, in_channels, channels, blocks, stride=1):
    layers = []
    for each in right_blocks(block, in_channels, channels, blocks, stride):
        layers += [each, nn.ReLU()]
    return nn.Sequential(*layers)


def right_blocks(block, in_channels, channels, blocks, stride=1) -> list[nn.Module]:
    """The right blocks."""
    others = [block(channels * block.expansion, channels) for _ in range(blocks - 1)]
    return [block(in_channels, channels, stride), *others]
