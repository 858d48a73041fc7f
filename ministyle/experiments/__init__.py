"""Experiments: many pictures, each kept with the record of how it was made.

| file | what it is about |
|---|---|
| `records` | what a record says, and the files of an experiment |
| `executors` | where pictures are made: here, on several GPUs, on a cluster |
| `panels` | the pictures of an experiment: make them, make one again |
| `contact_sheet` | pictures in rows and columns, with labels |
| `figures` | the paper's figures 1 to 3 |
| `stimuli` | factorial designs for experiments on perception |
| `features` | style as a vector, and distances between pictures |
"""
