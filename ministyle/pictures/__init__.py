"""Pictures: from a file to an array of pixels and back.

Inside the package a picture is an array of shape (H, W, 3), RGB. Its values are floating-point grey levels, 0 to 255.
Only this room knows picture files and their variety. Read its files in this order:

| file | what it is about |
|---|---|
| `sizes` | how large a picture becomes, and how it is resized |
| `values` | round pixels to bytes; compare two pictures |
| `profiles` | from a file's colour profile to sRGB |
| `sixteen` | 16 bits per channel, which Pillow does not read and write |
| `opening` | a picture file, opened but not decoded: is it one, and not too large? |
| `reading` | a picture file, a PIL image or an array -> (H, W, 3) |
| `masks` | a mask -> its regions |
| `metadata` | what a file says beside its pixels: EXIF data, the record |
| `writing` | (H, W, 3) -> a picture file; the list of file formats |
| `films` | animated files and videos |
| `folders` | the pictures in a folder |
| `luminance` | a painting's luminance with a photograph's colours |
| `matching` | a painting, or a result, with the mean and covariance of a photograph's colours |
| `colours` | whose colours a result gets: the list of methods |

A new file format is one line in `writing.FORMATS`. A new colour method is one new file and one line in
`colours.METHODS`.
"""
