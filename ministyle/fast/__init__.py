"""Speed on a CPU, and less memory: what the algorithm does not need to be understood.

| file | what it is about |
|---|---|
| `buffers` | memory for large arrays, used again |
| `workers` | threads that share the rows of an array |
| `im2col` | the convolution with few channels: patches written out and multiplied |
| `winograd` | the convolution with a quarter of the multiplications |
| `pooling` | the pooling layers, on all cores |
| `scratch` | how much memory the threads keep for themselves |
| `backend` | all of these as a backend of the network; it registers itself |
| `bands` | the objective in less memory, band by band |
"""

from .backend import FastBackend

__all__ = ["FastBackend"]
