"""How students get `to_device` wrong."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from course.checks.collect import Mistakes

TO_DEVICE = Mistakes()


class Recipe:
    """A right move, one kind of value a method; each mistake overrides one of them."""

    def __call__(self, batch, device, non_blocking=False):
        if isinstance(batch, Tensor):
            return self.tensor(batch, device, non_blocking)
        if isinstance(batch, dict):
            return self.dict(batch, device, non_blocking)
        if isinstance(batch, list):
            return self.list(batch, device, non_blocking)
        if isinstance(batch, tuple) and hasattr(batch, "_fields"):
            return self.named(batch, device, non_blocking)
        if isinstance(batch, tuple):
            return self.tuple(batch, device, non_blocking)
        return self.other(batch, device)

    def tensor(self, batch, device, non_blocking):
        return batch.to(device, non_blocking=non_blocking)

    def dict(self, batch, device, non_blocking):
        return {key: self(value, device, non_blocking) for key, value in batch.items()}

    def list(self, batch, device, non_blocking):
        return [self(value, device, non_blocking) for value in batch]

    def named(self, batch, device, non_blocking):
        return type(batch)(*(self(value, device, non_blocking) for value in batch))

    def tuple(self, batch, device, non_blocking):
        return tuple(self(value, device, non_blocking) for value in batch)

    def other(self, batch, device):
        return batch


def _collect(message, section=None):
    """Collect a recipe with one wrong step; a student would have written it as a function."""

    def collect(recipe):
        run = recipe()

        def to_device(batch, device, non_blocking=False):
            return run(batch, device, non_blocking)

        to_device.__name__ = recipe.__name__
        TO_DEVICE.add(message, section)(to_device)
        return recipe

    return collect


# --- tensors ------------------------------------------------------------------------------------------------


@_collect(
    "the tensors stay where they were. `x.to(device)` returns the moved tensor and changes nothing in place."
)
class result_dropped(Recipe):
    def tensor(self, batch, device, non_blocking):
        batch.to(device, non_blocking=non_blocking)
        return batch


@_collect("`.cuda()` works only where there is a CUDA GPU. Use `.to(device)`.")
class cuda_always(Recipe):
    def tensor(self, batch, device, non_blocking):
        return batch.cuda()


@_collect("the dtype changes on the way: labels become floating-point numbers. Move, and convert nothing.")
class as_float(Recipe):
    def tensor(self, batch, device, non_blocking):
        return batch.to(device, torch.float32, non_blocking=non_blocking)


@_collect("a tensor that is on the device already is copied. `.to(device)` returns it as it is.")
class always_copied(Recipe):
    def tensor(self, batch, device, non_blocking):
        return batch.to(device, non_blocking=non_blocking, copy=True)


@_collect(
    "the graph is cut off (`.detach()`, `.data`). `.to(device)` keeps it: the gradient finds its way back."
)
class detached(Recipe):
    def tensor(self, batch, device, non_blocking):
        return batch.detach().to(device, non_blocking=non_blocking)


@_collect(
    "the numbers go through a Python list or an array into a new tensor: slow, and without graph. Use `.to`."
)
class made_anew(Recipe):
    def tensor(self, batch, device, non_blocking):
        return torch.tensor(batch.tolist(), dtype=batch.dtype, device=device)


@_collect("non_blocking is not passed on to `.to`.", "7.4")
class non_blocking_forgotten(Recipe):
    def tensor(self, batch, device, non_blocking):
        return batch.to(device)


@_collect("non_blocking is always True. It is an argument: pass on what was given.", "7.4")
class non_blocking_always(Recipe):
    def tensor(self, batch, device, non_blocking):
        return batch.to(device, non_blocking=True)


@_collect("non_blocking gets lost inside of containers: pass it on when the function calls itself.", "7.4")
class non_blocking_lost_inside(Recipe):
    def dict(self, batch, device, non_blocking):
        return super().dict(batch, device, False)

    def list(self, batch, device, non_blocking):
        return super().list(batch, device, False)

    def named(self, batch, device, non_blocking):
        return super().named(batch, device, False)

    def tuple(self, batch, device, non_blocking):
        return super().tuple(batch, device, False)


@_collect("only tensors of floating-point numbers are moved. Labels must be on the device as well.")
class floats_only(Recipe):
    def tensor(self, batch, device, non_blocking):
        return super().tensor(batch, device, non_blocking) if batch.is_floating_point() else batch


@_collect("the new tensor has the right shape and nothing in it: no number is copied. Use `.to(device)`.")
class shape_only(Recipe):
    def tensor(self, batch, device, non_blocking):
        return batch if batch.device == torch.device(device) else torch.empty_like(batch, device=device)


# --- containers ---------------------------------------------------------------------------------------------


@_collect("tensors inside of containers are not moved. Look into lists, tuples and dictionaries.")
class tensors_only(Recipe):
    def dict(self, batch, device, non_blocking):
        return batch

    list = named = tuple = dict


@_collect("only the first level is looked into. Let the function call itself for what is inside.")
class first_level_only(Recipe):
    def __call__(self, batch, device, non_blocking=False, top=True):
        if isinstance(batch, Tensor) or top:
            return super().__call__(batch, device, non_blocking)
        return batch

    def dict(self, batch, device, non_blocking):
        return {key: self(value, device, non_blocking, False) for key, value in batch.items()}

    def list(self, batch, device, non_blocking):
        return [self(value, device, non_blocking, False) for value in batch]

    def named(self, batch, device, non_blocking):
        return type(batch)(*(self(value, device, non_blocking, False) for value in batch))

    def tuple(self, batch, device, non_blocking):
        return tuple(self(value, device, non_blocking, False) for value in batch)


@_collect("dictionaries are not looked into.")
class no_dicts(Recipe):
    def dict(self, batch, device, non_blocking):
        return batch


@_collect("lists are not looked into.")
class no_lists(Recipe):
    def list(self, batch, device, non_blocking):
        return batch


@_collect("tuples are not looked into.")
class no_tuples(Recipe):
    def tuple(self, batch, device, non_blocking):
        return batch

    named = tuple


@_collect("named tuples are not looked into: a named tuple is a tuple too, but its type is its own.")
class no_named_tuples(Recipe):
    def named(self, batch, device, non_blocking):
        return batch


@_collect("a named tuple comes back as a plain tuple, without its names. Build it as type(batch)(*values).")
class named_becomes_tuple(Recipe):
    def named(self, batch, device, non_blocking):
        return self.tuple(batch, device, non_blocking)


@_collect("a named tuple comes back as a list, without its names. Build it as type(batch)(*values).")
class named_becomes_list(Recipe):
    def named(self, batch, device, non_blocking):
        return self.list(batch, device, non_blocking)


@_collect("a named tuple takes its values one by one: type(batch)(*values), with a star.")
class named_without_star(Recipe):
    def named(self, batch, device, non_blocking):
        return type(batch)([self(value, device, non_blocking) for value in batch])


@_collect("a tuple comes back as a list. Build the same type: tuple(...).")
class tuple_becomes_list(Recipe):
    def tuple(self, batch, device, non_blocking):
        return self.list(batch, device, non_blocking)


@_collect("every sequence comes back as a list. Build the same type: type(batch)(...).")
class all_become_lists(Recipe):
    def tuple(self, batch, device, non_blocking):
        return self.list(batch, device, non_blocking)

    named = tuple


@_collect("a list comes back as a tuple. Build the same type: a list.")
class list_becomes_tuple(Recipe):
    def list(self, batch, device, non_blocking):
        return self.tuple(batch, device, non_blocking)


@_collect("a generator comes back, which can be used once only. Build a list or a tuple from it.")
class generator(Recipe):
    def list(self, batch, device, non_blocking):
        return (self(value, device, non_blocking) for value in batch)

    tuple = list


@_collect("a dictionary comes back as a list of its values. Keep the keys.")
class keys_lost(Recipe):
    def dict(self, batch, device, non_blocking):
        return [self(value, device, non_blocking) for value in batch.values()]


@_collect("the given list or dictionary is changed. The caller may still need it: build a new one.")
class in_place(Recipe):
    def dict(self, batch, device, non_blocking):
        for key, value in batch.items():
            batch[key] = self(value, device, non_blocking)
        return batch

    def list(self, batch, device, non_blocking):
        for index, value in enumerate(batch):
            batch[index] = self(value, device, non_blocking)
        return batch


@_collect(
    "the batch is taken for a pair of x and y. It may be anything: a tensor, a dictionary, three values."
)
class always_a_pair(Recipe):
    def __call__(self, batch, device, non_blocking=False):
        x, y = batch
        return x.to(device, non_blocking=non_blocking), y.to(device, non_blocking=non_blocking)


@_collect("the whole batch is copied, deeply, before it is moved: twice the work. Only build new containers.")
class deep_copy(Recipe):
    def __call__(self, batch, device, non_blocking=False):
        return super().__call__(copy.deepcopy(batch), device, non_blocking)


# --- other values -------------------------------------------------------------------------------------------


@_collect("numbers become tensors. What is no tensor is passed on as it is.")
class numbers_to_tensors(Recipe):
    def other(self, batch, device):
        number = isinstance(batch, int | float)
        return torch.as_tensor(batch, device=device) if number else batch


@_collect("values that are no tensors get lost (None comes back in their place). Pass them on as they are.")
class others_become_none(Recipe):
    def other(self, batch, device):
        return None


@_collect("values that are no tensors are left out. Pass them on as they are, in their places.")
class others_left_out(Recipe):
    def _kept(self, batch):
        return [value for value in batch if isinstance(value, Tensor | list | tuple | dict)]

    def dict(self, batch, device, non_blocking):
        kept = (Tensor, list, tuple, dict)
        return {
            key: self(value, device, non_blocking) for key, value in batch.items() if isinstance(value, kept)
        }

    def list(self, batch, device, non_blocking):
        return super().list(self._kept(batch), device, non_blocking)

    def tuple(self, batch, device, non_blocking):
        return super().tuple(self._kept(batch), device, non_blocking)


@_collect("`.to` is called on everything. Text, numbers and None have no `.to`: pass them on as they are.")
class to_on_everything(Recipe):
    def other(self, batch, device):
        return batch.to(device)


@_collect(
    "text is taken for a sequence and taken apart, letter by letter. Ask for list, tuple and dict by name."
)
class text_taken_apart(Recipe):
    def other(self, batch, device):
        return list(batch) if isinstance(batch, str) else batch


@_collect("values that are no tensors become text. Pass them on as they are.")
class others_become_text(Recipe):
    def other(self, batch, device):
        return str(batch)


@_collect("an unknown value is refused with an error. A batch may hold names or numbers: pass them on.")
class others_refused(Recipe):
    def other(self, batch, device):
        raise TypeError(f"cannot move a {type(batch).__name__}")
