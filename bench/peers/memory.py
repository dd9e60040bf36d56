"""Resident memory of this process, as the frame's child.mjs tells Bridle's own."""

import re
import resource
import sys


def kilobytes(key: str) -> int:
    """A line of this process's status; where there is no /proc, the most memory it had."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return int(re.search(rf"^{key}:\s+(\d+)", status.read(), re.M).group(1))
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if sys.platform == "darwin" else peak


def memory() -> dict[str, int]:
    """Now, and at most so far."""
    return {"residentBytes": 1024 * kilobytes("VmRSS"), "peakBytes": 1024 * kilobytes("VmHWM")}
