"""Exercises: functions of this package with their bodies taken out, and a program that says which are right again.

| file | what it is about |
|---|---|
| `sheets` | which functions, their hints, and how the files are written |
| `check` | the program that goes with them: a test for each function, by what must hold and not by a solution |

The solutions are the package.
"""
