"""What runs where the student's code lives: a fork server, and one child of it per submission.

Nothing in here knows a grade, a hidden test or an answer.

    fork_server   imports torch and the course once, then forks; runs no student's code
    client        asks the fork server for a child (used by the judging side)
    student       the child: runs cells and observes objects, as it is told over its channel
    shell         IPython, with its outputs collected in nbformat's form
    audit         notes when a cell reaches for what no exercise needs
"""
