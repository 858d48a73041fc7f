"""How much memory there is: of the machine, and within the limits of groups of processes, which are made up here."""

from types import SimpleNamespace

import psutil
import pytest

from ministyle.cost.available import available_memory

MACHINE = 8 * 10**9
UNLIMITED = 9223372036854771712  # what version 1 says where there is no limit


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=MACHINE))


@pytest.fixture
def available(tmp_path):
    """Return a function that makes files up and asks how much memory is available.

    It takes what a process's list of groups says, and {file's path below the mount: content}.
    """

    def available(own_groups, files):
        for path, content in files.items():
            file = tmp_path / "cgroup" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{content}\n")
        (tmp_path / "own").write_text(own_groups)
        return available_memory("cpu", tmp_path / "cgroup", tmp_path / "own")

    return available


def version_2(folder, limit, usage, reclaimable=0):
    """Return the files of one group of version 2."""
    return {
        f"{folder}memory.max": limit,
        f"{folder}memory.current": usage,
        f"{folder}memory.stat": f"anon 4096\ninactive_file {reclaimable}\nactive_file 8192",
    }


def version_1(folder, limit, usage, reclaimable=0):
    """Return the files of one group of version 1."""
    return {
        f"memory/{folder}memory.limit_in_bytes": limit,
        f"memory/{folder}memory.usage_in_bytes": usage,
        f"memory/{folder}memory.stat": f"cache 4096\ninactive_file 1\ntotal_inactive_file {reclaimable}",
    }


def test_without_groups_it_is_what_the_machine_has(tmp_path):
    assert available_memory("cpu", tmp_path / "none", tmp_path / "none") == MACHINE


def test_a_container_s_limit_counts(available):
    """In a container the mount's root is the container's own group."""
    assert available("0::/\n", version_2("", 3 * 10**9, 10**9)) == 2 * 10**9


def test_a_group_below_the_root_counts(available):
    files = version_2("jobs/job7/", 3 * 10**9, 10**9)
    assert available("0::/jobs/job7\n", files) == 2 * 10**9
    assert available("0::/jobs/job8\n", files) == MACHINE


def test_the_tightest_of_nested_groups_counts(available):
    files = {
        **version_2("jobs/", 4 * 10**9, 3 * 10**9),
        **version_2("jobs/job7/", 2 * 10**9, 5 * 10**8),
        **version_2("jobs/job7/step/", "max", 10**8),
    }
    assert available("0::/jobs/job7/step\n", files) == 10**9


def test_no_limit_is_none(available):
    assert available("0::/jobs\n", version_2("jobs/", "max", 10**9)) == MACHINE
    assert available("5:memory:/jobs\n", version_1("jobs/", UNLIMITED, 10**9)) == MACHINE


def test_version_1_has_a_tree_for_each_resource(available):
    own_groups = "7:cpu,cpuacct:/other\n6:memory:/jobs/job7\n1:name=systemd:/init.scope\n"
    assert available(own_groups, version_1("jobs/job7/", 3 * 10**9, 10**9)) == 2 * 10**9


def test_a_container_of_version_1_sees_its_own_group_as_the_root(available):
    assert available("6:memory:/docker/0123\n", version_1("", 3 * 10**9, 10**9)) == 2 * 10**9


def test_what_the_system_gives_up_at_once_is_free(available):
    """Pages of files that were read count as taken, until somebody needs the room."""
    files = version_2("jobs/", 3 * 10**9, 3 * 10**9, reclaimable=2 * 10**9)
    assert available("0::/jobs\n", files) == 2 * 10**9
    files = version_1("jobs/", 3 * 10**9, 3 * 10**9, reclaimable=10**9)
    assert available("0::/jobs\n6:memory:/jobs\n", files) == 10**9


def test_more_taken_than_allowed_leaves_nothing(available):
    assert available("0::/\n", version_2("", 10**9, 2 * 10**9)) == 0


def test_files_that_say_something_else_are_no_limit(available):
    assert available("no line of the kind\n\n", version_2("", "a lot", "who knows")) == MACHINE


def test_a_gpu_says_itself_what_is_free(monkeypatch):
    import sys

    import cupy_standin

    module = cupy_standin.make_module()
    module.cuda.runtime.memGetInfo = lambda: (3 * 10**9, 8 * 10**9)
    monkeypatch.setitem(sys.modules, "cupy", module)
    assert available_memory("cuda") == 3 * 10**9
