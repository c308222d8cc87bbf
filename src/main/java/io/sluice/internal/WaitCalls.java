package io.sluice.internal;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.sluice.internal.ffi.Linux;
import io.sluice.internal.ffi.pollfd;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** The calls that wait for a descriptor; results as in {@link Syscalls}, EINTR included where time has passed. */
public final class WaitCalls {
    private static final MethodHandle POLL = Native.linkRaw(Linux.poll$address(), Linux.poll$descriptor());
    private static final MethodHandle EVENTFD = Native.linkRaw(Linux.eventfd$address(), Linux.eventfd$descriptor());
    private static final MethodHandle EPOLL_CREATE1 =
            Native.linkRaw(Linux.epoll_create1$address(), Linux.epoll_create1$descriptor());
    private static final MethodHandle EPOLL_CTL =
            Native.linkRaw(Linux.epoll_ctl$address(), Linux.epoll_ctl$descriptor());
    private static final MethodHandle EPOLL_WAIT =
            Native.link(Linux.epoll_wait$address(), Linux.epoll_wait$descriptor());
    private static final long POLLFD = pollfd.sizeof();

    private WaitCalls() {}

    /**
     * {@code int poll(struct pollfd *fds, 2, int timeout)}; a negative descriptor is passed over.
     *
     * @return bit 0 if the first has events, bit 1 if the second has, 0 after {@code timeoutMillis}, or −errno
     */
    public static int poll(int first, int firstEvents, int second, int secondEvents, int timeoutMillis) {
        CallState s = CallState.acquire();
        try {
            s.scratch.set(JAVA_INT, 0, first);
            s.scratch.set(JAVA_INT, 4, firstEvents & 0xffff);
            s.scratch.set(JAVA_INT, POLLFD, second);
            s.scratch.set(JAVA_INT, POLLFD + 4, secondEvents & 0xffff);
            int result = s.result((int) POLL.invokeExact(s.capture, s.address, 2L, timeoutMillis));
            if (result <= 0) {
                return result;
            }
            return (s.scratch.get(JAVA_SHORT, 6) != 0 ? 1 : 0) | (s.scratch.get(JAVA_SHORT, POLLFD + 6) != 0 ? 2 : 0);
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /**
     * {@code int poll(struct pollfd *fds, 3, int timeout)}; a negative descriptor is passed over.
     *
     * @return bits 0 to 2 for the descriptors that have events, 0 after {@code timeoutMillis}, or −errno
     */
    public static int poll(
            int first, int firstEvents, int second, int secondEvents, int third, int thirdEvents, int timeoutMillis) {
        CallState s = CallState.acquire();
        try {
            s.scratch.set(JAVA_INT, 0, first);
            s.scratch.set(JAVA_INT, 4, firstEvents & 0xffff);
            s.scratch.set(JAVA_INT, POLLFD, second);
            s.scratch.set(JAVA_INT, POLLFD + 4, secondEvents & 0xffff);
            s.scratch.set(JAVA_INT, 2 * POLLFD, third);
            s.scratch.set(JAVA_INT, 2 * POLLFD + 4, thirdEvents & 0xffff);
            int result = s.result((int) POLL.invokeExact(s.capture, s.address, 3L, timeoutMillis));
            if (result <= 0) {
                return result;
            }
            return (s.scratch.get(JAVA_SHORT, 6) != 0 ? 1 : 0)
                    | (s.scratch.get(JAVA_SHORT, POLLFD + 6) != 0 ? 2 : 0)
                    | (s.scratch.get(JAVA_SHORT, 2 * POLLFD + 6) != 0 ? 4 : 0);
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /**
     * {@code int poll(struct pollfd *fds, 1, int timeout)}.
     *
     * @return the events, 0 after {@code timeoutMillis}, or −errno
     */
    public static int poll(int fd, int events, int timeoutMillis) {
        CallState s = CallState.acquire();
        try {
            s.scratch.set(JAVA_INT, 0, fd);
            s.scratch.set(JAVA_INT, 4, events & 0xffff);
            int result = s.result((int) POLL.invokeExact(s.capture, s.address, 1L, timeoutMillis));
            return result <= 0 ? result : s.scratch.get(JAVA_SHORT, 6) & 0xffff;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code int eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)}. */
    public static int eventfd() {
        CallState s = CallState.acquire();
        try {
            return s.result((int) EVENTFD.invokeExact(s.capture, 0, Linux.EFD_CLOEXEC() | Linux.EFD_NONBLOCK()));
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code int epoll_create1(EPOLL_CLOEXEC)}. */
    public static int epollCreate() {
        CallState s = CallState.acquire();
        try {
            return s.result((int) EPOLL_CREATE1.invokeExact(s.capture, Linux.EPOLL_CLOEXEC()));
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code int epoll_ctl(int epfd, int op, int fd, struct epoll_event *)}, the descriptor itself being the event's data. */
    public static int epollControl(int epoll, int operation, int fd, int events) {
        CallState s = CallState.acquire();
        try {
            s.scratch.set(JAVA_INT, 0, events);
            s.scratch.set(JAVA_LONG_UNALIGNED, Arch.current().epollDataOffset, fd);
            return s.result((int) EPOLL_CTL.invokeExact(s.capture, epoll, operation, fd, s.address));
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)}, for as many events as {@code into} holds. */
    public static int epollWait(int epoll, MemorySegment into, int millis) {
        CallState s = CallState.acquire();
        try {
            int room = (int) (into.byteSize() / Arch.current().epollEventSize);
            return s.result((int) EPOLL_WAIT.invokeExact(s.capture, epoll, into, room, millis));
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** The descriptor that event {@code index} of {@link #epollWait} is about. */
    public static int epollDescriptor(MemorySegment events, int index) {
        Arch arch = Arch.current();
        return (int) events.get(JAVA_LONG_UNALIGNED, (long) index * arch.epollEventSize + arch.epollDataOffset);
    }
}
