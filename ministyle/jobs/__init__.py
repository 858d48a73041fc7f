"""A job: what is asked for as one value, and how it is done from the pictures to the result.

| file | what it is about |
|---|---|
| `scales` | coarse to fine: the sizes that a picture goes through |
| `regions` | paintings and masks, and which part of the picture takes which style |
| `history` | the steps of a run, sorted |
| `record` | how a picture was made: what stands in its file, or beside it |
| `display` | how a notebook shows a result |
| `result` | `Result`: the finished picture, and how it came about |
| `targets` | a painting's Gram matrices, computed once for several jobs |
| `checkpoint` | `Checkpoint`: what an interrupted run needs to go on, in a file |
| `job` | `Job`: settings and decoded pictures; `job.estimate()`, `job.run()` |
| `remaking` | a picture made again from the record that it carries |
| `batch` | several photographs in the style of one painting, or the frames of an animation |
| `progress` | a moving line that shows how far a run is |
| `public` | the package's functions, such as `transfer` |
"""
