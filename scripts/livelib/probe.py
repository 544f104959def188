"""[`call`]: has another process make a system call, by ptrace, and says what the kernel answered. x86-64 only."""
import ctypes
import errno
import os
import platform
import time

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long
GETREGS, SETREGS, ATTACH, DETACH, SINGLESTEP = 12, 13, 16, 17, 9
NAMES = ["r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", "orig_rax", "rip", "cs", "eflags",
         "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs"]
CALLS = {"execve": 59, "socket": 41, "ptrace": 101, "setuid": 105, "mount": 165, "unshare": 272, "bpf": 321, "init_module": 175, "kill": 62, "getpid": 39}

# Of 20 ms each.
TRIES = 500


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in NAMES]


def is_possible():
    return platform.machine() == "x86_64"


def ptrace(what, pid, address=None, data=None):
    if LIBC.ptrace(what, pid, address, data) == -1:
        raise OSError(ctypes.get_errno(), f"ptrace {what}")


def call(pid, name, *arguments):
    """`ok`, or the name of the error. The thread must wait in a system call now and then, as the main thread does nearly always."""
    for _ in range(TRIES):
        answer = attempt(pid, CALLS[name], arguments)
        if answer is not None:
            return errno.errorcode.get(-answer, str(answer)) if -4096 < answer < 0 else "ok"
        time.sleep(0.02)
    raise TimeoutError(f"{pid} never waits in a system call")


def attempt(pid, number, arguments):
    """What the kernel answered; `None` if the thread is not in a system call now, and so not at an instruction that makes one."""
    ptrace(ATTACH, pid)
    try:
        os.waitpid(pid, 0x40000000)
        before = Registers()
        ptrace(GETREGS, pid, None, ctypes.byref(before))
        if ctypes.c_longlong(before.orig_rax).value < 0:
            return None
        now = Registers.from_buffer_copy(before)
        # The instruction that it waits in, again, with another number.
        now.rip, now.rax, now.orig_rax = before.rip - 2, number, 2**64 - 1
        for register, value in zip(("rdi", "rsi", "rdx", "r10", "r8"), arguments):
            setattr(now, register, value)
        ptrace(SETREGS, pid, None, ctypes.byref(now))
        ptrace(SINGLESTEP, pid)
        os.waitpid(pid, 0x40000000)
        after = Registers()
        ptrace(GETREGS, pid, None, ctypes.byref(after))
        ptrace(SETREGS, pid, None, ctypes.byref(before))
    finally:
        ptrace(DETACH, pid)
    return ctypes.c_longlong(after.rax).value
