"""Kinds of probes, one a module: what is done with a student's object, as plain data, and how it is done.

Each module holds the dataclasses of its probe, which travel (`wire.py`), and a function that takes an object
through it and writes down what it sees, which runs where the student's code is. The table in
docs/maintaining.md says which kind is for what. `CallProbe` and `ModuleProbe`, for functions and layers, are
in `framework.py` and `observe.py`.
"""
