"""What the students of the sample class wrote: one file a kind of answer, one function or class an exercise.

The names are those of the lesson's exercises; the text up to the end of a function or class becomes the cell
of that exercise. Exercises that a file leaves out are solved as in the lesson, or not at all;
`demo.sample_class` decides that.
"""
