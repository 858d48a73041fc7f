"""Hand out inputs to workers, notice what becomes of them, and count it."""

import contextlib
import importlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from kind import LIMIT_MB, where_it_ended

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SECONDS = 20  # for an input
TO_START = 120  # seconds, in which a worker imports all it needs and makes the seeds
GRACE = 10  # seconds more, until the parent ends a worker that its own alarm did not end
KEPT = 3  # inputs of a finding that are written to files
GOOD = ("right", "refused")
HARM = {  # outcome -> heading of its column
    "crash": "crashes",
    "hang": "hangs",
    "traceback": "tracebacks",
    "memory": "over memory",
    "written": "files written",
    "warning": "warnings",
    "wrong": "wrong",
}


@dataclass(frozen=True)
class Outcome:
    """What became of an input.

    Attributes
    ----------
    number : int, of the input
    outcome : one of `GOOD` or `HARM`
    signature : str, tells findings apart
    text : str, the sentence of a refusal, the traceback or whatever else there is to say
    seconds : float
    megabytes : float, the peak of the process, and of a child of it
    grown : bool, has the worker grown so much that it should be replaced?
    """

    number: int
    outcome: str
    signature: str
    text: str
    seconds: float
    megabytes: float
    grown: bool = False


class Worker:
    """A process that works on inputs; one that died is started again with the next input."""

    def __init__(self, module, kind, seed, seconds=SECONDS, megabytes=LIMIT_MB, grace=GRACE, cache=None):
        self.arguments = [module, kind, str(seed)]
        self.seconds, self.megabytes, self.grace = seconds, megabytes, grace
        self.scratch = Path(tempfile.mkdtemp(prefix="ministyle-fuzz-"))
        self.cache = cache or self.scratch / "cache"
        self.process = None

    def work(self, number):
        """Return the `Outcome` of an input."""
        if self.process is None:
            self._start()
        self.process.stdin.write(f"{number}\n".encode())
        self.process.stdin.flush()
        line = self._line(TO_START if self.fresh else self.seconds)
        if line != "made":
            said = (self.scratch / "err.txt").read_text(errors="replace")[-2000:] if not self.fresh else ""
            raise RuntimeError(f"the tool itself failed at input {number}: {line!r}, {self._end()}\n{said}")
        self.fresh = False
        line = self._line(self.seconds + self.grace)
        if line is None:
            return self._lost(number)
        outcome = Outcome(number, **json.loads(line))
        if outcome.grown:
            self._end()
        return outcome

    def close(self):
        """End the process and remove its folders."""
        self._end()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _start(self):
        own = {name: str(self.scratch / folder) for name, folder in (("HOME", "home"), ("TMPDIR", "tmp"))}
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MINISTYLE_"))},
            **own,
            "MPLCONFIGDIR": str(self.cache),
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        }
        limits = [f"--seconds={self.seconds}", f"--megabytes={self.megabytes}"]
        command = [sys.executable, HERE / "worker.py", *self.arguments, self.scratch, *limits]
        self._buffer, self.fresh = b"", True
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # so that its children end with it
        )

    def _line(self, seconds):
        """Return the next line that the worker says, or None if it ended or says nothing for so long."""
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], seconds)
            part = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not part:
                return None
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()

    def _lost(self, number):
        """Return the outcome of an input that ended its worker, or that the worker does not come back from."""
        status = self._end()
        trace = (self.scratch / "crash.txt").read_text(errors="replace")
        where = where_it_ended(trace)
        if status in (-signal.SIGALRM, None):
            return Outcome(number, "hang", f"hang at {where}", trace, self.seconds, 0)
        name = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return Outcome(number, "crash", f"{name} at {where}", trace, 0, 0)

    def _end(self):
        """End the process and its children; return its exit status, or None if it had to be ended."""
        if self.process is None:
            return None
        try:
            status = self.process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            status = None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process = None
        return status


def attack(module, kind, numbers, seed, *, jobs=1, seconds=SECONDS, megabytes=LIMIT_MB, grace=GRACE, on_outcome=None):
    """Let workers have inputs.

    Parameters
    ----------
    module : str, that has the kinds, `KINDS`
    kind : str, its name
    numbers : sequence of int, of the inputs
    seed : int
    jobs : int, how many workers at a time
    seconds, megabytes : limits for an input
    grace : seconds more, until a worker is ended that its own alarm did not end
    on_outcome : function of (Outcome,), optional

    Returns
    -------
    list of Outcome, in order of their numbers
    """
    waiting, outcomes, failures, lock = iter(numbers), [], [], threading.Lock()
    cache = Path(tempfile.mkdtemp(prefix="ministyle-fuzz-cache-"))

    def run():
        worker = Worker(module, kind, seed, seconds, megabytes, grace, cache)
        try:
            while not failures:
                with lock:
                    number = next(waiting, None)
                if number is None:
                    return
                outcome = worker.work(number)
                with lock:
                    outcomes.append(outcome)
                    if on_outcome:
                        on_outcome(outcome)
        except Exception as error:
            failures.append(error)
        finally:
            worker.close()

    threads = [threading.Thread(target=run) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shutil.rmtree(cache, ignore_errors=True)
    if failures:
        raise failures[0]
    return sorted(outcomes, key=lambda outcome: outcome.number)


def table(outcomes):
    """Return a table in Markdown; `outcomes` is a dict, kind -> list of Outcome."""
    heads = ["kind", "inputs", "right results", "refused", *HARM.values(), "longest, s", "most, MB"]
    rows = [heads, ["---"] + ["---:"] * (len(heads) - 1)]
    for kind, those in outcomes.items():
        counts = Counter(one.outcome for one in those)
        numbers = [len(those), *(counts[outcome] for outcome in (*GOOD, *HARM))]
        longest, most = max(one.seconds for one in those), max(one.megabytes for one in those)
        rows.append([kind, *(f"{number:,}" for number in numbers), f"{longest:.1f}", f"{most:.0f}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def findings(outcomes):
    """Return the outcomes that did harm, (outcome, signature) -> list of Outcome, the most frequent first."""
    found = {}
    for one in outcomes:
        if one.outcome in HARM:
            found.setdefault((one.outcome, one.signature), []).append(one)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def keep_inputs(module, kind, seed, found, folder):
    """Write the inputs that did harm into a folder, a few of each finding, with what came of them."""
    known = importlib.import_module(module).KINDS[kind]
    seeds = known.seeds()
    for those in found.values():
        for one in those[:KEPT]:
            place = folder / f"{kind}-{one.number}"
            for name, data in known.files(known.input(seed, one.number, seeds)).items():
                path = place / "files" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            again = f"python tests/fuzz/run.py {kind} --seed {seed} --only {one.number}"
            text = f"{one.outcome}: {one.signature}\n{again}\n\n{one.text}\n"
            (place / "about.txt").write_text(text, errors="backslashreplace")
