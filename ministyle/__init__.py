"""ministyle: "A Neural Algorithm of Artistic Style" (Gatys, Ecker, Bethge 2015), from scratch.

Nothing hides in a framework: convolution, ReLU and pooling, forward and backward, are written out in NumPy, and run
unchanged on a GPU through CuPy. Read the modules in this order; each uses only those above it.

| module | what it is about |
|---|---|
| `errors` | the one exception |
| `files` | write a file whole or not at all |
| `arrays` | NumPy or CuPy |
| `image` | a picture file <-> an array (H, W, 3), RGB, 0 to 255 |
| `layers` | convolution, ReLU, average and max pooling: each backward right below its forward |
| `fast` | convolution and pooling again, fast, on all cores of a CPU; a folder with a map of its own |
| `weights` | the file with VGG-19's weights |
| `network` | VGG-19 as a table of layers; forward to features, backward to pixels |
| `losses` | the paper's equations 1 to 6, each with its gradient |
| `objective` | equation 7: from pixels to the loss and its gradient |
| `bands` | the same in less memory, band by band |
| `features` | style as a vector, and distances between pictures |
| `solvers` | L-BFGS and Adam, by hand, on the device |
| `optimise` | minimise an objective over pictures, with SciPy's L-BFGS-B or one of those |
| `memory` | how much memory a picture takes |
| `settings` | every default and where it comes from |
| `pyramid` | coarse to fine |
| `transfer` | the whole story in one function; reconstructions likewise |
| `estimate` | how long a picture will take, and how much memory |
| `gradcheck` | are the gradients right? |
| `executors` | where pictures are made: here, on several GPUs, on a cluster |
| `panels` | the pictures of an experiment, with records from which each can be made again |
| `sheet` | contact sheets |
| `figures` | the paper's figures 1 to 3 |
| `stimuli` | factorial designs for experiments on perception |
| `flags` | what the command line can be asked for |
| `cli` | the command line |

In short:

>>> import ministyle
>>> result = ministyle.transfer("photo.jpg", "painting.jpg", image_size=384)  # doctest: +SKIP
>>> result.image.shape  # doctest: +SKIP
(288, 384, 3)
"""

from .errors import MinistyleError
from .features import Distance, compare, style_features
from .gradcheck import check_gradients
from .network import Network, load_network
from .objective import Objective
from .settings import PRESETS, Settings
from .transfer import Result, reconstruct_content, reconstruct_style, transfer

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "Distance",
    "MinistyleError",
    "Network",
    "Objective",
    "Result",
    "Settings",
    "check_gradients",
    "compare",
    "load_network",
    "reconstruct_content",
    "reconstruct_style",
    "style_features",
    "transfer",
]
