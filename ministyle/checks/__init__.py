"""Checks of the gradients.

| file | what it is about |
|---|---|
| `measures` | two independent tests of a gradient |
| `gradients` | every operation, every loss, and the whole way from pixels to loss |
"""
