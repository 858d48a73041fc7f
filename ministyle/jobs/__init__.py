"""A job: what is asked for as one value, and how it is done from the pictures to the result.

| file | what it is about |
|---|---|
| `scales` | coarse to fine: the sizes that a picture goes through |
| `result` | `Result`: the finished picture, and how it came about |
| `checkpoint` | `Checkpoint`: what an interrupted run needs to go on, in a file |
| `job` | `Job`: settings and decoded pictures; `job.estimate()`, `job.run()` |
| `public` | the package's functions `transfer`, `reconstruct_content` and `reconstruct_style` |
"""
