"""SIGTERM, which `kill`, `timeout` and the schedulers of clusters send, does what Ctrl-C does."""

import signal
import threading
from contextlib import contextmanager

STATUS = 128 + signal.SIGTERM  # 143, as the shell shows a program that SIGTERM ended


@contextmanager
def sigterm_as_ctrl_c():
    """Have SIGTERM raise KeyboardInterrupt until the `with` block ends; yield a list that it puts its number into.

    Only the first one does: whoever sends more, as some schedulers do, must not disturb the saving. A handler that a
    caller has set stays, and so does everything where this is not the main thread, which alone can set handlers.
    """
    came = []

    def interrupt(number, frame):
        if not came:
            came.append(number)
            raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield came
        return
    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
