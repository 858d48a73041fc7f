"""The formats in which others publish a network, and what guards a reader of files from strangers.

Every reader takes an open file and returns its tensors by name, unread. It believes nothing that the file says: each
number is compared with what the file can hold before memory is taken for it. What the file means is not its business.

Read the files in this order; each uses only those above it.

| file | what it is about |
|---|---|
| `format` | what a format consists of: how it is recognised, how its tensors are listed |
| `raw` | bytes of a file, and the numbers that they are |
| `hdf5` | HDF5: data sets that lie in the file itself, and nothing else |
| `archive` | zip archives whose members are not larger than they can be |
| `pickles` | pickles, read without running anything |
| `protobuf` | Protocol Buffers, as much of them as a network takes |
| `keras` | Keras 1 to 3 |
| `pytorch` | PyTorch |
| `numpy_archive` | NumPy's .npz |
| `matconvnet` | MatConvNet, which is MATLAB |
| `safetensors` | safetensors |
| `onnx` | ONNX |
| `caffe` | Caffe |
| `formats` | all of these, and which one a file has |
"""
