"""What runs in the trusted process: it takes a submission through its cells and judges.

opening     the notebook that was handed in, as the release has it
plan        which cells run in the student's process, which are judged here
trusted     test cells made of checks: probes out, observations in, a verdict
session     the student's process, started again when a cell ends it
conductor   one submission from its file to its outcome
"""
