"""A made-up class for `make demo`; not part of the installed package."""
