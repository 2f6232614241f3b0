"""Python's garbage collector, told what the memory of a long-lived process looks like.

Left alone, it goes through all that the program consists of again and again while the ten thousands of short-lived
objects of a batch come and go: a third of a worker's CPU.
"""

import gc

# Objects made and not yet freed before the youngest are looked through, and how often the older ones are.
THRESHOLDS = (20_000, 20, 20)


def settle() -> None:
    """What has been loaded by now is here to stay. Before a process forks, so that its children share that memory."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
