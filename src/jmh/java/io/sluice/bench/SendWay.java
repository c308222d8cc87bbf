package io.sluice.bench;

import io.sluice.Fd;
import io.sluice.Kernel;
import io.sluice.Pipe;
import io.sluice.loan.FrozenPages;
import io.sluice.loan.Loan;
import io.sluice.loan.Loan.Method;
import io.sluice.loan.PageArena;
import io.sluice.send.Sender;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/** A way of sending messages of one size over a connection. */
enum SendWay {
    WRITE("write", "write") {
        @Override
        Course begin(SocketChannel channel, int size) {
            ByteBuffer message = ByteBuffer.allocateDirect(size);
            return new Course() {
                @Override
                public void send() throws IOException {
                    message.clear();
                    while (message.hasRemaining()) {
                        channel.write(message);
                    }
                }
            };
        }
    },
    VMSPLICE("vmsplice + splice", null) {
        @Override
        Course begin(SocketChannel channel, int size) throws IOException {
            return new Spliced(channel, size, false);
        }
    },
    MASTER("master pipe: tee + splice", null) {
        @Override
        Course begin(SocketChannel channel, int size) throws IOException {
            return new Spliced(channel, size, true);
        }
    },
    MSG_ZEROCOPY("MSG_ZEROCOPY", "zerocopy") {
        @Override
        Course begin(SocketChannel channel, int size) throws IOException {
            return new Lent(Sender.over(channel, Method.MSG_ZEROCOPY), size);
        }
    },
    SEND_ZC("SEND_ZC", "sendZc") {
        @Override
        Course begin(SocketChannel channel, int size) throws IOException {
            return new Lent(Sender.over(channel, Method.SEND_ZC), size);
        }
    },
    /** Not by a sender: by requests of its own. */
    SEND_ZC_REGISTERED("SEND_ZC, registered buffers", "sendZcRegistered") {
        @Override
        Course begin(SocketChannel channel, int size) throws IOException {
            return new RegisteredCourse(channel, size, slots(size));
        }
    },
    CHOSEN("what a sender chooses", null) {
        @Override
        Course begin(SocketChannel channel, int size) throws IOException {
            return new Lent(Sender.over(channel), size);
        }
    };

    private static final int IN_FLIGHT = 8 << 20;
    private static final int MOST_SLOTS = 64;
    private static final int PIPE = 1 << 20;

    final String words;

    /** What it is called in {@code send.c} or {@code uring.c}, or null. */
    final String twin;

    SendWay(String words, String twin) {
        this.words = words;
        this.twin = twin;
    }

    /** Whether it sends from memory that it uses again, as its twin does. */
    boolean lends() {
        return twin != null && this != WRITE;
    }

    private static int slots(int size) {
        return Math.clamp(IN_FLIGHT / size, 4, MOST_SLOTS);
    }

    /** Messages over one connection, one after the other. */
    interface Course extends AutoCloseable {
        void send() throws IOException;

        /** Waits until no memory is out. */
        default void finish() {}

        /** How much of what was lent the kernel copied after all; NaN if nothing was lent, or is not known. */
        default double copiedShare() {
            return Double.NaN;
        }

        @Override
        default void close() throws IOException {}
    }

    /** @throws UnsupportedOperationException if it does not work here */
    abstract Course begin(SocketChannel channel, int size) throws IOException;

    /** Memory that never changes, through a pipe: filled for each message, or once. */
    private static final class Spliced implements Course {
        private final Fd socket;
        private final Pipe master = Pipe.open();
        private final Pipe pipe = Pipe.open();
        private final boolean tee;
        private final int size;
        private final FrozenPages pages;
        private final long held;

        Spliced(SocketChannel channel, int size, boolean tee) throws IOException {
            this.socket = Fd.of(channel);
            this.tee = tee;
            this.size = size;
            this.pages = FrozenPages.filled(PIPE, memory -> memory.fill((byte) 7));
            long capacity = Math.min(master.capacity(PIPE), pipe.capacity(PIPE));
            this.held = tee ? pages.lend(master.sink(), 0, capacity) : capacity;
        }

        @Override
        public void send() throws IOException {
            for (long left = size; left > 0; ) {
                long n = tee
                        ? master.source().teeTo(pipe.sink(), Math.min(left, held))
                        : pages.lend(pipe.sink(), 0, Math.min(left, held));
                left -= n;
                while (n > 0) {
                    n -= pipe.source().spliceTo(socket, n);
                }
            }
        }

        @Override
        public void close() throws IOException {
            socket.close();
            master.close();
            pipe.close();
        }
    }

    /** Memory that is used again when it is released. */
    private static final class Lent implements Course {
        private final Sender sender;
        private final PageArena arena = PageArena.open();
        private final MemorySegment[] memory;
        private final Loan[] loans;
        private int next;
        private long lent;
        private long copied;

        Lent(Sender sender, int size) {
            this.sender = sender;
            int slots = slots(size);
            memory = new MemorySegment[slots];
            loans = new Loan[slots];
            for (int i = 0; i < slots; i++) {
                memory[i] = arena.allocate(size).fill((byte) 7);
            }
        }

        @Override
        public void send() throws IOException {
            await(next);
            loans[next] = arena.lend(memory[next], sender);
            next = (next + 1) % loans.length;
        }

        private void await(int slot) {
            Loan loan = loans[slot];
            if (loan == null) {
                return;
            }
            try {
                loan.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            if (loan.method() != Method.WRITE) {
                lent++;
                copied += loan.regime() == Kernel.Outcome.COPIES ? 1 : 0;
            }
            memory[slot] = loan.reclaim();
            loans[slot] = null;
        }

        @Override
        public void finish() {
            for (int i = 0; i < loans.length; i++) {
                await(i);
            }
        }

        @Override
        public double copiedShare() {
            return (double) copied / lent;
        }

        @Override
        public void close() {
            sender.close();
            arena.close();
        }
    }
}
