"""ministyle: "A Neural Algorithm of Artistic Style" (Gatys, Ecker, Bethge 2015), from scratch.

Nothing hides in a framework: convolution, ReLU and pooling, forward and backward, are written out in NumPy, and run
unchanged on a GPU through CuPy. The files at the top of the package tell the paper's story. Read them in this order;
each uses only those above it.

| file | what it is about |
|---|---|
| `version` | the version |
| `errors` | the one exception |
| `files` | files that come with the project, and how a new one is written whole or not at all |
| `types` | what signatures name: arrays and pictures |
| `arrays` | NumPy or CuPy |
| `layers` | convolution, ReLU, average and max pooling: each backward right below its forward |
| `architecture` | VGG-19 and VGG-16 as tables of layers |
| `network` | the network: forward to features, backward to pixels |
| `losses` | the paper's equations 1 to 6, each with its gradient |
| `styles` | what counts as style: statistics of activations, paintings, masks |
| `terms` | content, style and total variation as terms of the loss |
| `objective` | equation 7: from pixels to the loss and its gradient |
| `solvers` | minimise it: SciPy's L-BFGS-B, and L-BFGS and Adam by hand |
| `keywords` | the types of settings, made from the next file |
| `settings` | every default and where it comes from |
| `algorithm` | all of it, from the pictures to the picture |

Around them are rooms, folders with a map of their own. None of the files above needs them.

| room | what it holds |
|---|---|
| `pictures` | picture files, sizes, colours |
| `formats` | the formats in which others publish a network |
| `weights` | weight files: find them, read them, import them |
| `fast` | speed on a CPU, and less memory |
| `cost` | memory and time, said before the work begins |
| `jobs` | a job as a value, from settings and pictures to the result |
| `checks` | are the gradients right? Would we notice if not? |
| `exercises` | functions to fill in, and what checks them |
| `experiments` | the paper's figures, stimuli, features |
| `command` | the command line |

In short:

>>> import ministyle
>>> result = ministyle.transfer("photo.jpg", "painting.jpg", image_size=384)  # doctest: +SKIP
>>> result.image.shape  # doctest: +SKIP
(288, 384, 3)
"""

from . import fast, version  # noqa: F401  `fast` registers its backend
from .checks.gradients import check_gradients
from .cost.estimate import Estimate
from .errors import MinistyleError
from .experiments.features import Distance, compare, style_features
from .jobs.batch import transfer_all
from .jobs.checkpoint import Checkpoint
from .jobs.job import Job
from .jobs.public import estimate_transfer, reconstruct_content, reconstruct_style, transfer
from .jobs.result import Result
from .network import Network
from .objective import Evaluation, Objective
from .settings import PRESETS, Settings
from .solvers import Step
from .styles import Style
from .weights.load import load_network

__version__ = version.VERSION

__all__ = [
    "PRESETS",
    "Checkpoint",
    "Distance",
    "Estimate",
    "Evaluation",
    "Job",
    "MinistyleError",
    "Network",
    "Objective",
    "Result",
    "Settings",
    "Step",
    "Style",
    "check_gradients",
    "compare",
    "estimate_transfer",
    "load_network",
    "reconstruct_content",
    "reconstruct_style",
    "style_features",
    "transfer",
    "transfer_all",
]
