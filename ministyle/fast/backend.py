"""The backend for CPUs: Winograd's convolution, on all cores. It registers itself with `network`."""

from ..network import BACKENDS, Operation
from .pooling import Pooling
from .winograd import Convolution
from .workers import Workers, split


class FastBackend:
    """Computes what `network.PlainBackend` does, on all cores of a CPU and with fewer multiplications.

    Parameters
    ----------
    threads : int, optional
        By default one for each core. The result does not depend on it.
    """

    devices = ("cpu",)

    def __init__(self, threads=None):
        self.workers = Workers(threads)

    def convolution(self, name, kernel, bias, border):
        """Yield one operation, the convolution together with its ReLU."""
        convolution = Convolution(kernel, bias, self.workers, border)
        yield Operation("relu", name, convolution.forward, convolution.backward)

    def pooling(self, name, forward, backward):
        """Yield the operation of a pooling layer."""
        pooling = Pooling(forward, backward, self.workers)
        yield Operation("pool", name, pooling.forward, pooling.backward)

    def over_rows(self, function, array):
        """Call `function` with slices of rows on all cores; see `network.PlainBackend`."""
        height, width = array.shape[:2]
        return self.workers.run(lambda strip: function(slice(*strip)), split(height, width))

    def release(self):
        """Give back the memory of arrays that are gone; see `network.PlainBackend`."""
        self.workers.buffers.release()


BACKENDS["winograd"] = FastBackend
