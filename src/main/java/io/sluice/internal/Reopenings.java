package io.sluice.internal;

import java.lang.ref.WeakReference;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Finds the ledger of a pipe that is opened once more through {@code /proc}. A second source may tee, which takes pages and leaves the
 * kernel's count of bytes as it was; so the ledger has to be told. Pipes are known by their inode.
 */
public final class Reopenings {
    private static final Map<Long, WeakReference<Ledger>> LENDING = new ConcurrentHashMap<>();
    private static final Map<Long, Integer> OPENED = new ConcurrentHashMap<>();

    private Reopenings() {}

    /** The pipe will lend memory from now on, until {@link #lendsNoMore}. */
    static void lends(long inode, Ledger ledger) {
        LENDING.put(inode, new WeakReference<>(ledger));
        if (OPENED.containsKey(inode)) {
            ledger.shareSource();
        }
    }

    static void lendsNoMore(long inode) {
        LENDING.remove(inode);
    }

    /** A source of the pipe was opened by its name, until {@link #closed}. */
    public static void opened(long inode) {
        OPENED.merge(inode, 1, Integer::sum);
        WeakReference<Ledger> lending = LENDING.get(inode);
        @Nullable Ledger ledger = lending == null ? null : lending.get();
        if (ledger != null) {
            ledger.shareSource();
        }
    }

    /** That source is closed. */
    public static void closed(long inode) {
        OPENED.computeIfPresent(inode, (known, sources) -> sources == 1 ? null : sources - 1);
    }
}
