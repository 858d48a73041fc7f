"""A kind of input that does harm: the tool must notice each fault, and count it under its own heading."""

import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path

from kind import Kind, WrongResultError

from ministyle.errors import MinistyleError, as_damaged


def refuse(place):
    raise MinistyleError("it is damaged")


def abort(place):
    os.abort()


def kill_itself(place):
    os.kill(os.getpid(), signal.SIGKILL)


def leave(place):
    os._exit(0)


def sleep(place):
    time.sleep(100)


def loop(place):
    while True:
        pass


def hang_deaf(place):
    """Hang, deaf to the alarm: the parent has to end it."""
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    time.sleep(100)


def raise_key_error(place):
    raise KeyError("network")


def exit_early(place):
    sys.exit(0)


def eat(place):
    bytearray(2 * 10**9)


def eat_and_refuse(place):
    try:
        bytearray(2 * 10**9)
    except MemoryError as error:
        raise MinistyleError("it is damaged") from error


def eat_below_the_limit_of_the_system(place):
    """Take more than the tool allows, but not so much that the system refuses it."""
    assert len(b"x" * 260 * 10**6) > 0


def warn(place):
    warnings.warn("deprecated, or so", UserWarning, stacklevel=1)


def print_from_c(place):
    os.write(2, b"libtiff: strange\n")


def write_here(place):
    Path("stray").write_bytes(b"x")


def write_temporary(place):
    Path(os.environ["TMPDIR"], "stray").write_bytes(b"x")


def write_elsewhere_and_remove(place):
    path = place.cache.parent / "stray"
    path.write_bytes(b"x")
    path.unlink()


def change_input(place):
    descriptor = os.open(place.input / "input", os.O_WRONLY)
    os.write(descriptor, b"y")
    os.close(descriptor)


def start_child(place):
    subprocess.run(["true"], check=False)


def connect(place):
    with socket.socket() as end:
        end.connect_ex(("127.0.0.1", 1))


def return_nonsense(place):
    raise WrongResultError("a picture with numbers that are not 0 to 255")


def return_nonsense_where_all_is_caught(place):
    with as_damaged("the file"):
        raise WrongResultError("a tensor of another shape")


def _raw(sentence):
    """Return a refusal as it would be if `MinistyleError` did not make one line of it."""
    error = MinistyleError("")
    error.args = (sentence,)
    return error


def refuse_in_lines(place):
    raise _raw("it is damaged:\nhere\nand there")


def refuse_without_words(place):
    raise MinistyleError("")


def refuse_at_length(place):
    raise _raw("it is damaged: " + "x" * 5000)


def steer_the_terminal(place):
    raise _raw("there is no file '\x1b]0;title\x07'")


FAULTS = {  # function of (place,) -> outcome that it must be counted as
    (lambda place: None): "right",
    refuse: "refused",
    **dict.fromkeys((abort, kill_itself, leave), "crash"),
    **dict.fromkeys((sleep, loop, hang_deaf), "hang"),
    **dict.fromkeys((raise_key_error, exit_early), "traceback"),
    **dict.fromkeys((eat, eat_and_refuse, eat_below_the_limit_of_the_system), "memory"),
    **dict.fromkeys((warn, print_from_c), "warning"),
    **dict.fromkeys((write_here, write_temporary, write_elsewhere_and_remove, change_input), "written"),
    **dict.fromkeys((start_child, connect, return_nonsense, return_nonsense_where_all_is_caught), "wrong"),
    **dict.fromkeys((refuse_in_lines, refuse_without_words, refuse_at_length, steer_the_terminal), "wrong"),
}


class Planted(Kind):
    """A kind whose inputs are the faults, in their order."""

    def input(self, seed, number, seeds):
        """Return the fault of a number."""
        return list(FAULTS)[number]


def _consume(fault, place):
    fault(place)


KIND = Planted("planted", list, lambda *_: None, _consume, files=lambda fault: {"input": fault.__name__.encode()})
REFUSED_SEED = Kind("refused seed", lambda: [b"a"], lambda *_: b"b", lambda data, place: refuse(place))
CHILDREN = Kind("children", lambda: [b"a"], lambda *_: b"b", lambda data, place: start_child(place), children=True)
KINDS = {kind.name: kind for kind in (KIND, REFUSED_SEED, CHILDREN)}
