"""Weight files: find one, read it, write it, import one that others publish.

Read the files in this order; each uses only those above it.

| file | what it is about |
|---|---|
| `find` | which weight file is used |
| `file` | our own file format: read it, write it |
| `means` | every filter's mean activation: measure it, store it, carry it over to a new file |
| `format` | what a format that can be imported consists of |
| `keras` | the format of Keras |
| `importing` | turn a published file into one of ours; the list of formats |
| `load` | a network from a weight file, with the fastest backend for the device |
"""
