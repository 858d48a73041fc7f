"""What a picture costs, in memory and in time, said before the work begins.

| file | what it is about |
|---|---|
| `available` | how much memory there is |
| `memory` | how much memory a picture takes, and the bands with which it takes less |
| `estimate` | how long a picture will take |
"""
