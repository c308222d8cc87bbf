package io.sluice.internal;

import java.io.IOException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What takes lent memory: a pipe, or a socket.
 *
 * <p>The caller keeps a range mapped, and unwritten until its hold says otherwise. Where nothing holds the pages of what was taken, because
 * it was copied, there may be no hold.
 */
public interface Lending {
    /**
     * Lends one range, or the first part of it.
     *
     * @param wait whether to wait for room for the first byte
     * @param lent told the hold on what was taken, if there is one
     * @return bytes taken; 0 if there is no room and {@code wait} is false
     */
    long lend(long address, long length, boolean wait, Consumer<Hold> lent) throws IOException;

    /**
     * Lends several ranges in one call, of up to {@link Syscalls#MAX_RANGES}; waits for room for the first byte.
     *
     * @param lent {@code lent[i]} is set if anything of range i was taken and is held
     * @return bytes taken, which may end within a range
     */
    long lend(long[] addresses, long[] lengths, @Nullable Hold[] lent) throws IOException;

    /**
     * Copies bytes in behind whatever was lent, as many as there is room for.
     *
     * @param wait whether to wait for room for the first byte
     * @return bytes copied; 0 if there is no room and {@code wait} is false
     */
    long write(long address, long length, boolean wait) throws IOException;

    /** Up to how many bytes it is cheaper to copy than to lend. */
    long copyUpTo();
}
