"""How much of the machine is ours: cores within the container's quota, memory within its limit."""

import os
from pathlib import Path


def cpus() -> int:
    """Cores that may be used, by affinity and the container's CPU quota; at least 1."""
    import joblib

    return max(1, int(joblib.cpu_count()))


def memory() -> int:
    """Bytes of memory that may be used, by the machine's size and the container's limit."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            total = min(total, int((Path("/sys/fs/cgroup") / limit).read_text()))
        except (OSError, ValueError):
            continue  # the other version of cgroups, or no limit ("max")
    return total
