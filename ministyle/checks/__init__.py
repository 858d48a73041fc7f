"""Checks of the gradients.

| file | what it is about |
|---|---|
| `measures` | two independent tests of a gradient |
| `gradients` | every operation, every loss, and the whole way from pixels to loss |
| `breaks` | the gradient laboratory: mistakes to plant, to see which checks notice |
"""
