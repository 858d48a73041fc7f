"""Weight files: find one, read it, write it, import one that others publish.

Read the files in this order; each uses only those above it.

| file | what it is about |
|---|---|
| `find` | which weight file is used |
| `known` | the files that are known: what has been published, and what comes with the project |
| `layout` | which tensors of a published file are which convolutions |
| `own` | our own file format as an open file has it, checked before it is read |
| `isolated` | read a file from a stranger in a process of its own |
| `file` | our own file format: read it, write it |
| `means` | every filter's mean activation: measure it, store it, carry it over to a new file |
| `oxford` | is a network Oxford's, and which way round are its numbers? |
| `importing` | turn a published file into one of ours |
| `fetch` | get a published file from where it is published |
| `load` | a network from a weight file, with the fastest backend for the device |
"""
