package io.sluice.internal;

import java.nio.channels.Channel;
import java.util.Objects;
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

    /** What lends to the pipe, by {@code vmsplice} or, where that copies or is denied, by {@code write}. */
    public abstract Lending lending(Channel sink);
}
