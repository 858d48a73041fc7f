"""How much memory this process may still take."""

from pathlib import Path

from .. import arrays

# Where Linux says what a container, or any other group of processes, may take: the folder of the tree; the files with
# the limit and with what is taken now; and what is taken by copies of files, and given up as soon as it is needed.
CGROUP_FILES = (
    ("", "memory.max", "memory.current", "inactive_file"),  # version 2, one tree
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),  # version 1, one of many trees
)


def available_memory(device, cgroups="/sys/fs/cgroup", own_groups="/proc/self/cgroup"):
    """Return how many bytes are free: of the GPU, or of this machine, and no more than a container allows.

    Parameters
    ----------
    device : "cpu" or "cuda"
    cgroups, own_groups : paths where Linux keeps the limits of groups of processes, and the names of ours
    """
    if device == "cuda":
        return arrays.free_gpu_memory()
    import psutil

    return min([psutil.virtual_memory().available, *_left_in_groups(Path(cgroups), Path(own_groups))])


def _left_in_groups(root, own_groups):
    """Yield how many bytes are left in each group that this process belongs to, where there is a limit."""
    try:
        names = [line.split(":", 2)[2] for line in own_groups.read_text().splitlines()]
    except (OSError, IndexError):
        names = []
    for name in {*names, "/"}:
        group = Path(name.lstrip("/"))
        for parent in {group, *group.parents}:  # a limit holds for all groups inside
            for tree, limit_file, usage_file, reclaimable in CGROUP_FILES:
                folder = root / tree / parent
                limit, usage = _number(folder / limit_file), _number(folder / usage_file)
                if limit is not None and usage is not None:
                    yield max(0, limit - max(0, usage - _statistic(folder / "memory.stat", reclaimable)))


def _number(path):
    """Return the number in a file, or None where there is no such file or it says "max"."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _statistic(path, name):
    """Return the number behind a name in a file of such lines, or 0."""
    try:
        return next((int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(f"{name} ")), 0)
    except (OSError, ValueError, IndexError):
        return 0
