"""Become a program that gets SIGTERM when its parent dies.

A script, run by file name and never imported by the relay:

    python -I -S die_with_parent.py PARENT_PID PROGRAM ARGUMENT...

It sets the parent-death signal and then executes PROGRAM in its own place, so the process id
stays the same. `subprocess`'s `preexec_fn` would do it without a second interpreter start
(about 20 ms), but runs Python between fork and exec in a process that has threads, where a lock
that another thread held is never released.

The signal is tied to the *thread* that forked, not to its process (prctl(2), PR_SET_PDEATHSIG):
fork from a thread that lives as long as the program is wanted.

Only Linux has this signal. Elsewhere PROGRAM outlives a parent that is killed.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _die_with_parent(parent_pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    # A parent that died before the call sends no signal any more.
    if os.getppid() != parent_pid:
        sys.exit("the parent process has died")


def main(arguments: list[str]) -> None:
    """Take `PARENT_PID PROGRAM ARGUMENT...`; returns only by an exception."""
    parent_pid, *command = arguments
    # What the parent blocks stays blocked across exec, and the death signal would wait for ever.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        _die_with_parent(int(parent_pid))
    try:
        # No environment: the relay's may hold secrets, and any process of the user can read it.
        os.execve(command[0], command, {})  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
