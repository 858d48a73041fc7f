"""Pickles, read without running anything.

A pickle is a program for a small machine with a stack. Some of its operations look a Python function up by name and
call it, any function: a pickle from a stranger can delete your files. The machine here has only those operations that
build numbers, texts, tuples, lists and dictionaries. A name that a pickle looks up is looked up in a table that the
caller hands in; nothing is imported.
"""

import pickletools

from ..errors import MinistyleError
from .raw import size_of

MOST_OPERATIONS = 1_000_000  # a network's take some thousands
MARK = object()  # on the stack, it says where the items of a tuple, list or dictionary begin

# Operations of the same meaning, grouped. Those in no group are refused.
NOTHING = {"PROTO", "FRAME"}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
}
EMPTY = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict}
SINCE_MARK = {"TUPLE": tuple, "LIST": list}
SHORT_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
STORE = {"PUT", "BINPUT", "LONG_BINPUT"}
FETCH = {"GET", "BINGET", "LONG_BINGET"}


def read_pickle(file, names, outside):
    """Read one pickle, and leave the file right behind it.

    Parameters
    ----------
    file : open for bytes
    names : dict, such as "collections.OrderedDict" -> function or value
        All that the pickle may name. A function among these is the only thing that is ever called.
    outside : function id -> value
        What stands for an object that the pickle does not hold itself.

    Returns
    -------
    what the pickle describes

    Raises
    ------
    MinistyleError
        It names anything else, which `torch.load` would run, or has an operation that no list of numbers needs.
    ValueError and others
        It is damaged.
    """
    machine = _Machine(names, outside)
    for count, (operation, argument, _) in enumerate(pickletools.genops(_Bounded(file))):
        if count > MOST_OPERATIONS:
            raise MinistyleError(f"it takes more than {MOST_OPERATIONS} operations to build, more than a network")
        if operation.name == "STOP":
            break
        machine.do(operation.name, argument)
    [result] = machine.stack
    return result


def checked_key(key):
    """Return a key of a dictionary if it is a text or a number; others, such as tuples in tuples, can be endless."""
    if not isinstance(key, str | int | float):
        raise MinistyleError("it is a pickle with a dictionary whose keys are not names")
    return key


class _Bounded:
    """A file that is not asked for more bytes than it has; memory would be taken for them all first."""

    def __init__(self, file):
        start = file.tell()
        self.size = size_of(file)
        file.seek(start)
        self.file, self.tell, self.readline = file, file.tell, file.readline

    def read(self, length):
        """Return the next bytes."""
        if length > self.size - self.file.tell():
            raise MinistyleError("it is a pickle that ends too early")
        return self.file.read(length)


class _Machine:
    """A stack, what was stored for later, and the operations on both."""

    def __init__(self, names, outside):
        self.names = names
        self.outside = outside
        self.stack = []
        self.stored = {}

    def do(self, operation, argument):
        """Perform one operation."""
        stack = self.stack
        if operation in NOTHING:
            pass
        elif operation in CONSTANTS:
            stack.append(CONSTANTS[operation])
        elif operation in VALUES:
            stack.append(argument)
        elif operation in EMPTY:
            stack.append(EMPTY[operation]())
        elif operation == "MARK":
            stack.append(MARK)
        elif operation in SINCE_MARK:
            stack.append(SINCE_MARK[operation](self._pop_to_mark()))
        elif operation in SHORT_TUPLES:
            length = SHORT_TUPLES[operation]
            stack[-length:] = [tuple(stack[-length:])]
        elif operation in STORE:
            self.stored[argument] = stack[-1]
        elif operation == "MEMOIZE":
            self.stored[len(self.stored)] = stack[-1]
        elif operation in FETCH:
            stack.append(self.stored[argument])
        elif operation == "APPEND":
            self._extend([stack.pop()])
        elif operation == "APPENDS":
            self._extend(self._pop_to_mark())
        elif operation == "SETITEM":
            self._set_items([stack.pop(-2), stack.pop()])
        elif operation == "SETITEMS":
            self._set_items(self._pop_to_mark())
        elif operation == "DICT":
            items = self._pop_to_mark()
            stack.append({})
            self._set_items(items)
        elif operation == "GLOBAL":
            stack.append(self._named(*argument.split(" ", 1)))
        elif operation == "STACK_GLOBAL":
            stack.append(self._named(stack.pop(-2), stack.pop()))
        elif operation == "REDUCE":
            self._call()
        elif operation == "BUILD":
            self._discard_attributes()
        elif operation == "BINPERSID":
            stack.append(self.outside(stack.pop()))
        else:
            raise MinistyleError(f"it is a pickle with the operation {operation}, which no list of numbers needs")

    def _pop_to_mark(self):
        place = len(self.stack) - 1 - self.stack[::-1].index(MARK)
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items

    def _extend(self, items):
        if not isinstance(self.stack[-1], list):
            raise MinistyleError("it is a pickle that appends to what is no list")
        self.stack[-1].extend(items)

    def _set_items(self, items):
        if not isinstance(self.stack[-1], dict):
            raise MinistyleError("it is a pickle that sets items of what is no dictionary")
        self.stack[-1].update(zip(map(checked_key, items[::2]), items[1::2], strict=True))

    def _named(self, module, name):
        """Return what a name stands for, from the table alone."""
        if not (isinstance(module, str) and isinstance(name, str)):  # tuples in tuples would make an endless text
            raise MinistyleError("it is a pickle that looks up what is no name")
        full = f"{module}.{name}"
        if full not in self.names:
            raise MinistyleError(
                f"it is a pickle that wants {full[:100]!r}, and would run that code; only tensors are read. "
                "If you trust the file, store its state_dict alone with torch.save"
            )
        return self.names[full]

    def _call(self):
        """Call a function of the table."""
        arguments, function = self.stack.pop(), self.stack.pop()
        if not any(function is known for known in self.names.values()) or not callable(function):
            raise MinistyleError("it is a pickle that calls what is no function")
        self.stack.append(function(*arguments))

    def _discard_attributes(self):
        """Drop attributes that the pickle gives to an object. Those of a state_dict are version numbers."""
        self.stack.pop()
        if not isinstance(self.stack[-1], dict):
            raise MinistyleError("it is a pickle that sets attributes of what is no dictionary")
