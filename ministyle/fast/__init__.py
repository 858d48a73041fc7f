"""The network's convolutions and pooling again, fast, on the cores of a CPU.

`ministyle.layers` has the same operations to read. Nothing here is needed to understand the method; it makes it about
five times as fast. Read the modules in this order; each uses only those above it.

| module | what it is about |
|---|---|
| `buffers` | memory for large arrays, used again |
| `workers` | threads that share the rows of an array |
| `pooling` | average and max pooling |
| `im2col` | 3x3 convolution of few channels, by one matrix product |
| `winograd` | 3x3 convolution of many channels, with a quarter of the multiplications |
| `scratch` | how much memory the threads keep for themselves |
"""
