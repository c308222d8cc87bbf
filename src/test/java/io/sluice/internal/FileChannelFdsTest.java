package io.sluice.internal;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.testing.ExpectNoLeaks;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The descriptor behind a file channel is the one that shows the channel's lock. */
@ExtendWith(ExpectNoLeaks.class)
class FileChannelFdsTest {
    private static final long FAR = 1L << 62;

    @TempDir
    Path folder;

    private Path file(String name, int size) throws IOException {
        return Files.write(folder.resolve(name), new byte[size]);
    }

    /** The file behind the descriptor that is found for the channel, or null. */
    private static Path behind(FileChannel channel) throws IOException {
        try (FileLock lock = channel.lock(FAR, 1, false)) {
            int number = FileChannelFds.holderOf(lock.position(), channel);
            return number < 0 ? null : Path.of(Proc.nameOf(number).orElseThrow());
        }
    }

    @Test
    void itIsFoundAmongOthersOfTheSameSize() throws Exception {
        Path one = file("one", 10);
        Path two = file("two", 10);
        try (FileChannel first = FileChannel.open(one, READ, WRITE);
                FileChannel second = FileChannel.open(two, READ, WRITE);
                FileChannel third = FileChannel.open(one, READ, WRITE)) {
            assertThat(behind(first)).isEqualTo(one);
            assertThat(behind(second)).isEqualTo(two);
            assertThat(behind(third)).isEqualTo(one);
            assertThat(behind(first)).as("asked again").isEqualTo(one);
        }
    }

    @Test
    void itIsFoundWhereAFileHasNoSize() throws Exception {
        Path device = Path.of("/dev/null");
        try (FileChannel channel = FileChannel.open(device, READ, WRITE)) {
            assertThat(behind(channel)).isEqualTo(device);
        }
    }

    @Test
    void itIsFoundAgainThoughTheSizeHasChanged() throws Exception {
        Path path = file("growing", 10);
        try (FileChannel channel = FileChannel.open(path, READ, WRITE)) {
            assertThat(behind(channel)).isEqualTo(path);
            channel.write(ByteBuffer.allocate(90), 10);
            assertThat(behind(channel)).isEqualTo(path);
        }
    }

    @Test
    void aNumberThatWasGivenToAnotherFileIsNotTaken() throws Exception {
        Path one = file("one", 10);
        Path two = file("two", 10);
        try (FileChannel first = FileChannel.open(one, READ, WRITE)) {
            assertThat(behind(first)).isEqualTo(one);
        }
        try (FileChannel second = FileChannel.open(two, READ, WRITE)) {
            assertThat(behind(second)).isEqualTo(two);
        }
    }

    @Test
    void withoutALockNoneIsFound() throws Exception {
        try (FileChannel channel = FileChannel.open(file("one", 10), READ, WRITE)) {
            assertThat(FileChannelFds.holderOf(FAR, channel)).isEqualTo(-1);
        }
    }
}
