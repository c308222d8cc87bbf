package io.sluice.internal;

import java.io.IOException;
import java.nio.channels.Channel;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What the packages above may do with a pipe's sink and programs outside may not. The sink's class grants it. */
public abstract class PipeAccess {
    private static volatile @Nullable PipeAccess granted;

    /** To be called once, by the sink's class when it is initialised. */
    public static void grant(PipeAccess access) {
        granted = access;
    }

    /** The access, which is there as soon as there is a sink. */
    public static PipeAccess get() {
        return Objects.requireNonNull(granted);
    }

    /** The ledger of the pipe that {@code sink} leads to. */
    public abstract Ledger ledger(Channel sink);

    /**
     * Lends one range to the pipe: {@code vmsplice}. The caller keeps it mapped, and unwritten until the ledger says otherwise of the entry.
     *
     * @param wait whether to wait for room
     * @param entry told the ledger's entry, if anything was lent
     * @return bytes lent; 0 if there is no room and {@code wait} is false
     */
    public abstract long lend(Channel sink, long address, long length, boolean wait, Consumer<Ledger.Entry> entry)
            throws IOException;

    /**
     * Lends several ranges to the pipe in one call, of up to {@link Syscalls#MAX_RANGES}; waits for room for the first byte.
     *
     * @param lent {@code lent[i]} is set if anything of range i was lent
     * @return bytes lent, which may end within a range
     */
    public abstract long lend(Channel sink, long[] addresses, long[] lengths, Ledger.@Nullable Entry[] lent)
            throws IOException;
}
