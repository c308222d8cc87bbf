package io.sluice.testing;

import io.sluice.internal.Arch;

/** Numbers of system calls, by which the kernel tells where a thread is, and by which a filter refuses one. */
public enum SystemCall {
    READ(0, 63),
    WRITE(1, 64),
    CLOSE(3, 57),
    /** On arm64 it is ppoll that the C library makes of it. */
    POLL(7, 73),
    IOCTL(16, 29),
    SENDTO(44, 206),
    SENDMSG(46, 211),
    RECVMSG(47, 212),
    FCNTL(72, 25),
    SENDFILE(40, 71),
    COPY_FILE_RANGE(326, 285),
    SPLICE(275, 76),
    TEE(276, 77),
    VMSPLICE(278, 75),
    USERFAULTFD(323, 282),
    PIPE2(293, 59),
    IO_URING_SETUP(425, 425),
    IO_URING_ENTER(426, 426),
    IO_URING_REGISTER(427, 427);

    private final int x86;
    private final int arm;

    SystemCall(int x86, int arm) {
        this.x86 = x86;
        this.arm = arm;
    }

    public int number() {
        return Arch.current() == Arch.X86_64 ? x86 : arm;
    }
}
