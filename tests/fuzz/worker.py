"""The process that is attacked: it makes one input after the other, lets the product have it, and says what came of it.

`parent` starts it, sends it numbers of inputs, and reads a line of JSON for each. The process has limits: its memory,
the time for an input, the size of a file. It works in an empty folder that must stay empty. It watches itself: an audit
hook notes every file opened for writing and every child process, and what is printed goes to files.
"""

import argparse
import faulthandler
import importlib
import json
import os
import re
import resource
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

from kind import LIMIT_MB, EndedError, Place, WrongResultError, is_memory, where

from ministyle.errors import MinistyleError

MB = 10**6
GROWN = 250  # MB by which a worker may grow before it is replaced
SPARE = 500  # MB more, of addresses: not all that is asked for is used
LARGEST_FILE = 64 * MB
IN_C = "printed by a library in C"
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
CHILDREN = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system", "os.spawn"}
NETWORK = {"socket.connect", "socket.bind", "urllib.Request", "socket.getaddrinfo"}


class Watch:
    """What an audit hook notes while an input is worked on.

    Parameters
    ----------
    allowed : list of folders in which files may be written
    """

    def __init__(self, allowed):
        self.allowed = [os.path.realpath(folder) for folder in allowed]
        self.on = False
        self.written, self.children, self.network = [], [], []
        sys.addaudithook(self._note)

    def start(self):
        """Forget what was noted, and begin."""
        self.written, self.children, self.network = [], [], []
        self.on = True

    def stop(self):
        """Note nothing more."""
        self.on = False

    def _note(self, event, arguments):
        if not self.on:
            return
        if event == "open":
            path, mode, flags = arguments
            if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & WRITING):
                self._write(event, path)
        elif event in CHANGES:
            self._write(event, arguments[0])
        elif event in CHILDREN:
            self.children.append(f"{event} {arguments[:2]}")
        elif event in NETWORK:
            self.network.append(event)

    def _write(self, event, path):
        if isinstance(path, int):
            return
        self.on = False  # `realpath` must not be noted
        real = os.path.realpath(os.fsdecode(path))
        self.on = True
        if real != os.devnull and not any(os.path.commonpath([real, folder]) == folder for folder in self.allowed):
            self.written.append(f"{event} {real}")


def status_mb(field):
    """Return a field of this process's status, such as VmRSS, in MB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":")) * 1024 / MB


def forget_peak():
    """Let the peak of memory begin again at what the process has now."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def limit_process(megabytes):
    """Limit memory to somewhat more than an input may take, the size of files, and core dumps to none."""
    most = int((status_mb("VmSize") + megabytes + SPARE) * MB)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def first_line(printed):
    """Return the first line of what was printed, without numbers and folders, to tell warnings apart."""
    line = printed.strip().split("\n")[0]
    return re.sub(r"\d+", "N", line.rpartition("/")[2])[:150] if ".py:" in line else IN_C


def _shortened(text):
    """Return the beginning of a text, without numbers and names of folders that differ each time."""
    return re.sub(r"\d+", "N", re.sub(r"/\S*ministyle-fuzz-\w+", "", text))[:100]


def judge_sentence(error, place, longest):
    """Return what is wrong with the sentence of a refusal, as the program prints it, or None."""
    text = str(error)
    if not text.strip():
        return "the sentence is empty"
    if len(text.splitlines()) != 1:
        return f"a sentence of several lines: {text[:300]!r}"
    if len(text) > longest:
        return f"a sentence of {len(text)} letters: {text[:300]!r}"
    return place.judge_printed(error)


def consume(kind, value, place):
    """Let the product have an input; return outcome, signature and text."""
    try:
        kind.consume(value, place)
    except WrongResultError as error:
        return "wrong", _shortened(str(error)), f"{error}\n{traceback.format_exc()}"
    except EndedError as error:
        return error.outcome, error.signature, error.text
    except MinistyleError as error:
        if is_memory(error):
            return "memory", f"{where(error)}, refused", traceback.format_exc()
        fault = judge_sentence(error, place, kind.longest)
        if fault:
            return "wrong", f"{_shortened(fault.split(':')[0])}, {where(error)}", f"{fault}\n{traceback.format_exc()}"
        return "refused", where(error), str(error)
    except BaseException as error:
        return "memory" if is_memory(error) else "traceback", where(error), traceback.format_exc()
    return "right", "", ""


def attack(kind, value, place, watch, is_seed, most):
    """Return the outcome for one input, a dictionary, see `parent.Outcome`; `most` is the MB that it may take."""
    place.fill(kind.files(value))
    forget_peak()
    watch.start()
    started = time.monotonic()
    outcome, signature, text = consume(kind, value, place)
    seconds = time.monotonic() - started
    watch.stop()
    megabytes = max(status_mb("VmHWM"), place.child_mb)
    _, printed = place.printed()
    if outcome in ("right", "refused"):
        changed = place.changed() + watch.written
        if megabytes > most:
            outcome, signature, text = "memory", f"{megabytes // 100 * 100:.0f} MB, {outcome}", text
        elif changed:
            outcome, signature, text = "written", f"written: {changed[0][-60:]}", "\n".join(changed)
        elif watch.network or (watch.children and not kind.children):
            noted = watch.network + watch.children
            outcome, signature, text = "wrong", f"started {noted[0]}", "\n".join(noted)
        elif printed:
            outcome, signature, text = "warning", first_line(printed), printed
        elif is_seed and outcome == "refused":
            outcome, text = "wrong", f"a whole input was refused: {text}"
    place.clear()
    return {
        "outcome": outcome,
        "signature": signature,
        "text": text[-20000:],
        "seconds": seconds,
        "megabytes": megabytes,
    }


def main():
    """Work on the inputs whose numbers come on standard input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("kind")
    parser.add_argument("seed", type=int)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--megabytes", type=int, default=LIMIT_MB)
    options = parser.parse_args()
    numbers, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    kind = importlib.import_module(options.module).KINDS[options.kind]
    place = Place(options.scratch)
    seeds = kind.seeds()
    kind.prepare()
    os.chdir(place.work)
    warnings.simplefilter("always")  # each time, not once for each line
    for quiet in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", quiet)  # as Python does
    watch = Watch([place.output, place.cache])
    crashes = open(place.trace, "w")  # noqa: SIM115  as long as the process is there
    place.capture()
    faulthandler.enable(crashes)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends the process, wherever it is
    limit_process(options.megabytes)
    begun = status_mb("VmRSS")
    for line in numbers:
        number = int(line)
        value = kind.input(options.seed, number, seeds)
        crashes.seek(0)
        crashes.truncate()
        print("made", file=replies, flush=True)
        faulthandler.dump_traceback_later(0.9 * options.seconds, file=crashes)
        signal.setitimer(signal.ITIMER_REAL, options.seconds)
        reply = attack(kind, value, place, watch, number < len(seeds), options.megabytes)
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        reply["grown"] = status_mb("VmRSS") > begun + GROWN
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()
