"""Exercises: functions of this package with their bodies taken out, and a program that says which are right again.

| file | what it is about |
|---|---|
| `check` | the program that goes with the exercises: a test for each function, by what must hold, not by a solution |
| `sheets` | which functions, their hints, and how the files are written |

The solutions are the package.
"""
