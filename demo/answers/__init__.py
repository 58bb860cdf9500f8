"""What the students of the sample class wrote: a folder a lesson, one file a kind of answer.

In a file, one function or class an exercise: the names are those of the lesson's exercises; the text up to
the end of a function or class becomes the cell of that exercise. Exercises that a file leaves out are solved
as in the lesson, or not at all; `demo.classes` decides that.
"""
