package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Pipe.Option;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** A pipe's size, its content as a whole, and its end. */
class PipeTest {
    private static final int PAGE = Kernel.observed().pageSize();

    @Test
    void aNewPipeIsOpenAndEmpty() throws IOException {
        try (Pipe pipe = Pipe.open()) {
            assertThat(pipe.isOpen()).isTrue();
            assertThat(pipe.available()).isZero();
            assertThat(pipe.capacity()).isEqualTo(Kernel.observed().newPipeCapacity());
            assertThat(pipe.slots()).isEqualTo((int) (pipe.capacity() / PAGE));
            assertThat(pipe.source()).isSameAs(pipe.source());
            assertThat(pipe.sink()).isSameAs(pipe.sink());
        }
    }

    @Test
    void isNamedAfterItsDescriptors() throws IOException {
        try (Pipe pipe = Pipe.open()) {
            int source = pipe.source().number();
            int sink = pipe.sink().number();
            assertThat(source).isNotEqualTo(sink);
            assertThat(OpenFiles.nameOf(source)).startsWith("pipe:[").isEqualTo(OpenFiles.nameOf(sink));
            assertThat(pipe).hasToString("pipe " + sink + " → pipe " + source);
            assertThat(pipe.source()).hasToString("pipe " + source);
            assertThat(pipe.sink()).hasToString("pipe " + sink);
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 1", "1, 1", "4095, 1", "4096, 1", "4097, 2", "12288, 4", "20480, 8", "1000000, 256"})
    void theCapacityGrantedIsAPowerOfTwoOfPages(long bytes, int pages) throws IOException {
        assumeTrue(PAGE == 4096, "the table is for pages of 4096 bytes");
        try (Pipe pipe = Pipe.open()) {
            assertThat(pipe.capacity(bytes)).isEqualTo((long) pages * PAGE);
            assertThat(pipe.capacity()).isEqualTo((long) pages * PAGE);
            assertThat(pipe.slots()).isEqualTo(pages);
            assertThat(pipe.source().capacity()).isEqualTo(pipe.sink().capacity());
            assertThat(Content.fill(pipe.sink())).isEqualTo(pages * PAGE);
        }
    }

    @Test
    void contentSurvivesAChangeOfCapacity() throws IOException {
        byte[] content = Content.bytes(3 * PAGE);
        try (Pipe pipe = Pipe.open()) {
            Content.put(pipe, content);
            pipe.capacity(4L * PAGE);
            pipe.capacity(64L * PAGE);
            assertThat(pipe.available()).isEqualTo(content.length);
            assertThat(Content.take(pipe.source())).isEqualTo(content);
        }
    }

    @Test
    void doesNotShrinkBelowTheSlotsInUse() throws IOException {
        try (Pipe pipe = Pipe.open()) {
            Content.put(pipe, new byte[5 * PAGE]);
            ErrnoException e = catchThrowableOfType(ErrnoException.class, () -> pipe.capacity(4L * PAGE));
            assertThat(e.name()).isEqualTo("EBUSY");
            assertThat(e.cure()).hasValueSatisfying(cure -> assertThat(cure).contains("drain it first"));
            assertThat(pipe.capacity()).isEqualTo(16L * PAGE);
            assertThat(Content.take(pipe.source())).hasSize(5 * PAGE);
            assertThat(pipe.capacity(4L * PAGE)).isEqualTo(4L * PAGE);
        }
    }

    @Test
    void aFewBytesInManySlotsDoNotFitFewerSlots() throws IOException {
        try (Pipe pipe = Pipe.open(Option.PACKETS)) {
            assertThat(packets(pipe, 1)).isEqualTo(pipe.slots());
            assertThat(pipe.available()).isEqualTo(pipe.slots());
            assertThatThrownBy(() -> pipe.capacity(8L * PAGE))
                    .isInstanceOf(ErrnoException.class)
                    .hasMessageContaining("EBUSY");
        }
    }

    @Test
    void doesNotGrowAboveTheLimitOfTheSystem() throws IOException {
        long limit = Kernel.observed().pipeMaxSize().orElseThrow();
        try (Pipe pipe = Pipe.open()) {
            long before = pipe.capacity();
            ErrnoException e = catchThrowableOfType(ErrnoException.class, () -> pipe.capacity(limit + 1));
            assumeTrue(e != null, "this process has CAP_SYS_RESOURCE, so the limit is not one for it");
            assertThat(e.name()).isEqualTo("EPERM");
            assertThat(e).hasMessageContainingAll("/proc/sys/fs/pipe-max-size", Long.toString(limit), "now " + before);
            assertThat(pipe.capacity()).isEqualTo(before);
            assertThat(pipe.capacity(limit)).isEqualTo(limit);
        }
    }

    @ParameterizedTest
    @CsvSource({"-1", "-9223372036854775808"})
    void refusesANegativeCapacity(long bytes) throws IOException {
        try (Pipe pipe = Pipe.open()) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> pipe.capacity(bytes))
                    .withMessageContaining(Long.toString(bytes));
        }
    }

    @Test
    void closingTwiceDoesNothing() throws IOException {
        Pipe pipe = Pipe.open();
        pipe.close();
        try (Pipe other = Pipe.open()) {
            // It has the numbers now.
            pipe.close();
            pipe.source().close();
            pipe.sink().close();
            Content.put(other, "unharmed");
            assertThat(Content.takeText(other)).isEqualTo("unharmed");
        }
    }

    @Test
    void isOpenUntilBothEndsAreClosed() throws IOException {
        Pipe pipe = Pipe.open();
        pipe.source().close();
        assertThat(pipe.isOpen()).isTrue();
        assertThat(pipe.capacity()).isPositive();
        pipe.sink().close();
        assertThat(pipe.isOpen()).isFalse();
        assertThat(pipe.source().isOpen()).isFalse();
        assertThat(pipe.sink().isOpen()).isFalse();
    }

    @ParameterizedTest
    @MethodSource("methodsThatNeedAnOpenPipe")
    void useAfterCloseIsRefused(Method method) throws Exception {
        Pipe closed = Pipe.open();
        closed.close();
        try (Pipe other = Pipe.open();
                Fd file = Fd.open(Path.of("/dev/null"))) {
            Object target = Stream.of(closed, closed.source(), closed.sink())
                    .filter(object -> object.getClass() == method.getDeclaringClass()
                            || object.getClass() != Pipe.class && method.getDeclaringClass() == PipeEnd.class)
                    .findFirst()
                    .orElseThrow();
            Object[] arguments = Arrays.stream(method.getParameterTypes())
                    .map(type -> type == long.class
                            ? (Object) 1L
                            : type == Fd.class
                                    ? file
                                    : type == PipeSink.class
                                            ? other.sink()
                                            : type == ByteBuffer.class
                                                    ? ByteBuffer.allocate(1)
                                                    : MemorySegment.ofArray(new byte[1]))
                    .toArray();
            assertThatThrownBy(() -> method.invoke(target, arguments))
                    .isInstanceOf(InvocationTargetException.class)
                    .cause()
                    .isExactlyInstanceOf(ClosedChannelException.class);
        }
    }

    static Stream<Method> methodsThatNeedAnOpenPipe() {
        Set<String> others = Set.of("close", "isOpen", "toString", "source", "sink");
        return Stream.of(Pipe.class, PipeEnd.class, PipeSource.class, PipeSink.class)
                .flatMap(type -> Arrays.stream(type.getDeclaredMethods()))
                .filter(method -> Modifier.isPublic(method.getModifiers()))
                .filter(method -> !Modifier.isStatic(method.getModifiers()) && !method.isSynthetic())
                .filter(method -> !others.contains(method.getName()));
    }

    private static int packets(Pipe pipe, int size) throws IOException {
        int packets = 0;
        while (pipe.sink().tryWrite(ByteBuffer.allocate(size)) > 0) {
            packets++;
        }
        return packets;
    }
}
