package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.gives;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.internal.SocketCalls;
import io.sluice.internal.Uring;
import io.sluice.internal.UringRequest;
import io.sluice.internal.ffi.msghdr;
import io.sluice.testing.Libc;
import io.sluice.testing.Loopback;
import io.sluice.testing.Results;
import io.sluice.testing.Rings;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Sockets;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;

/** Every way of asking a ring for a zero-copy send, over every kind of internet socket: what arrives is what was sent. */
final class InetSendConformance extends Family {
    private static final int PAGE = Workbench.PAGE;
    private static final int HUGE = 32 << 20;
    private static final int HUGE_PAGE = 2 << 20;
    private static final int MAP_HUGETLB = 0x4_0000;
    private static final int SOCKETS = 32;
    private static final int OPTIONS = 1024;
    private static final int CORKED = 5;
    private static final int FEW_RANGES = 4;
    private static final int MANY_RANGES = 32;
    private static final int ENTRIES = 64;
    private static final int COMPLETIONS = 1024;
    private static final long RANGE = 16;

    /** Flags that the library does not use. */
    private static final int POLL_FIRST = 1;

    private static final int ASYNC = 1 << 4;

    /** One of the 32 kinds of sockets, by their bits. */
    private record Kind(boolean v6, boolean connected, boolean option, boolean tcp, boolean swapped) {
        static Kind of(int bits) {
            return new Kind((bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0, (bits & 16) != 0);
        }

        boolean exists() {
            return tcp ? connected : !swapped;
        }

        Sockets open(Workbench bench) {
            Loopback network = new Loopback(bench);
            byte[] ip = v6 ? Loopback.LOCALHOST_6 : Loopback.LOCALHOST;
            Sockets pair = tcp ? network.connect(ip) : network.datagrams(ip, connected);
            if (option) {
                gives(0, SocketCalls.setOption(pair.near(), SOL_SOCKET(), SO_ZEROCOPY(), 1));
            }
            return swapped ? new Sockets(pair.far(), pair.near()) : pair;
        }
    }

    /** One of the 1024 combinations of options, by their bits; one of them, zero copy or not, is always on here. */
    private record Choice(
            boolean registered,
            boolean addressed,
            boolean corked,
            boolean mixed,
            boolean async,
            boolean message,
            boolean zeroCopy,
            boolean ranges,
            boolean manyRanges,
            boolean pollFirst) {
        static Choice of(int bits) {
            boolean[] is = new boolean[10];
            for (int i = 0; i < is.length; i++) {
                is[i] = (bits & 1 << i) != 0;
            }
            return new Choice(is[0], is[1], is[2], is[3], is[4], is[5], is[6], is[7], is[8], is[9]);
        }

        boolean exists(Kind kind) {
            boolean anyRegistered = registered || mixed;
            return zeroCopy
                    && (!ranges || (message && !corked))
                    && !(manyRanges && !ranges)
                    && !(message && anyRegistered)
                    && !(mixed && (!corked || registered))
                    && !(kind.tcp && (corked || addressed))
                    && (kind.connected || addressed);
        }
    }

    private final List<MemorySegment> buffers = new ArrayList<>();
    private Workbench bench;
    private Uring ring;
    private Arena structures;

    @Row("ur_zc7")
    void everyWayOfSendingOverEverySocketBringsTheSameBytes(Workbench with) throws Exception {
        bench = with;
        MemorySegment memory = bench.map(HUGE);
        for (int i = 0; i < HUGE; i += Long.BYTES) {
            memory.set(ValueLayout.JAVA_LONG, i, i * 0x9E37_79B9_7F4A_7C15L);
        }
        buffers.clear();
        buffers.add(memory.asSlice(0, 137));
        buffers.add(memory.asSlice(PAGE, PAGE));
        buffers.add(memory.asSlice(41, 2 * PAGE - 41 - 13));
        addHugePage(memory);
        try (Uring opened = Rings.open(ENTRIES, COMPLETIONS)) {
            ring = opened;
            register(memory);
            int sent = 0;
            for (int bits = 0; bits < SOCKETS; bits++) {
                if (Kind.of(bits).exists()) {
                    sent += over(Kind.of(bits), memory);
                }
            }
            assertThat(sent).isGreaterThan(OPTIONS);
        }
    }

    // As many as the system has set aside, which is mostly none.
    private void addHugePage(MemorySegment content) {
        int flags = MAP_PRIVATE() | MAP_ANONYMOUS() | MAP_HUGETLB;
        long address = Libc.mmap(0, HUGE_PAGE, PROT_READ() | PROT_WRITE(), flags, -1, 0);
        if (address > 0) {
            buffers.add(bench.adopt(address, HUGE_PAGE).copyFrom(content.asSlice(0, HUGE_PAGE)));
        } else {
            System.out.println("SKIPPED ur_zc7 from huge pages: needs /proc/sys/vm/nr_hugepages");
        }
    }

    private void register(MemorySegment memory) {
        boolean huge = buffers.size() > 3;
        long[] addresses =
                huge ? new long[] {memory.address(), buffers.get(3).address()} : new long[] {memory.address()};
        long[] lengths = huge ? new long[] {HUGE, HUGE_PAGE} : new long[] {HUGE};
        gives(0, ring.register().buffers(addresses, lengths));
    }

    private int over(Kind kind, MemorySegment large) throws Exception {
        Sockets sockets = kind.open(bench);
        int sent = 0;
        for (int bits = 0; bits < OPTIONS; bits++) {
            Choice choice = Choice.of(bits);
            if (choice.exists(kind)) {
                for (MemorySegment buffer : buffers) {
                    if (kind.tcp || buffer.byteSize() < HUGE_PAGE) {
                        delivers(sockets, kind, choice, buffer);
                        sent++;
                    }
                }
                if (kind.tcp && !kind.option && !kind.swapped) {
                    delivers(sockets, kind, choice, large);
                    sent++;
                }
            }
        }
        while (ring.inFlight() > 0) {
            Rings.await(ring);
            assertThat(ring.isNotification()).isTrue();
        }
        bench.close(sockets.near());
        bench.close(sockets.far());
        return sent;
    }

    private void delivers(Sockets sockets, Kind kind, Choice choice, MemorySegment buffer) throws Exception {
        int size = (int) buffer.byteSize();
        FutureTask<byte[]> peer = new FutureTask<>(() -> bench.readFully(sockets.far(), size));
        if (size >= HUGE_PAGE) {
            Thread.ofPlatform().daemon().start(peer);
        }
        try (Arena arena = Arena.ofConfined()) {
            structures = arena;
            int parts = choice.corked ? CORKED : 1;
            int length = size / parts;
            for (int i = 0; i < parts; i++) {
                boolean last = i == parts - 1;
                MemorySegment part =
                        last ? buffer.asSlice((long) i * length) : buffer.asSlice((long) i * length, length);
                prepare(sockets, choice, part, i)
                        .operation(MSG_WAITALL() | MSG_NOSIGNAL() | (last ? 0 : MSG_MORE()))
                        .request((last ? 0 : IOSQE_IO_LINK()) | (choice.async ? ASYNC : 0));
            }
            gives(parts, ring.submit(parts, Uring.FOREVER));
            for (int answered = 0; answered < parts; ) {
                int result = Rings.await(ring);
                if (!ring.isNotification()) {
                    assertThat(result)
                            .as(() -> kind + ", " + choice + ", " + size + " bytes: " + Results.shown(result))
                            .isEqualTo(ring.tag() == parts - 1 ? size - (parts - 1) * length : length);
                    answered++;
                }
            }
        }
        if (size < HUGE_PAGE) {
            peer.run();
        }
        assertThat(MemorySegment.ofArray(peer.get()).mismatch(buffer))
                .as("%s, %s, %d bytes: first that differs", kind, choice, size)
                .isEqualTo(-1);
    }

    private UringRequest prepare(Sockets sockets, Choice choice, MemorySegment part, int index) {
        MemorySegment name = choice.addressed ? new Loopback(bench).nameOf(sockets.far()) : MemorySegment.NULL;
        int how = choice.pollFirst ? POLL_FIRST : 0;
        if (choice.message) {
            return ring.prepareSendMessage(sockets.near(), messageOf(choice, part, name), index)
                    .priority(how);
        }
        UringRequest request = ring.prepareSend(sockets.near(), part.address(), part.byteSize(), index)
                .priority(how);
        if (choice.registered || (choice.mixed && index % 2 == 0)) {
            boolean fromHugePage = buffers.size() > 3
                    && part.address() >= buffers.get(3).address()
                    && part.address() < buffers.get(3).address() + HUGE_PAGE;
            request.buffer(fromHugePage ? 1 : 0);
        }
        return choice.addressed ? request.to(name.address(), (int) name.byteSize()) : request;
    }

    /** A message with the bytes in one range, or in one short, one long and further short ones. */
    private long messageOf(Choice choice, MemorySegment part, MemorySegment name) {
        int count = !choice.ranges ? 1 : choice.manyRanges ? MANY_RANGES : FEW_RANGES;
        MemorySegment message = structures.allocate(msghdr.sizeof() + RANGE * count, 8);
        long at = part.address();
        for (int i = 0; i < count; i++) {
            long length = count == 1 ? part.byteSize() : i == 1 ? part.byteSize() - (count - 1) : 1;
            message.set(ValueLayout.JAVA_LONG, msghdr.sizeof() + RANGE * i, at);
            message.set(ValueLayout.JAVA_LONG, msghdr.sizeof() + RANGE * i + 8, length);
            at += length;
        }
        msghdr.msg_iov(message, message.asSlice(msghdr.sizeof()));
        msghdr.msg_iovlen(message, count);
        msghdr.msg_name(message, name);
        msghdr.msg_namelen(message, (int) name.byteSize());
        return message.address();
    }
}
