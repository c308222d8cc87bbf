package io.sluice.internal;

/** One range of lent memory in somebody's hands: in a pipe, or with a socket that says when it is done. */
public interface Hold {
    /** By which call the range was handed over. */
    enum Means {
        VMSPLICE,
        MSG_ZEROCOPY,
        SEND_ZC,
        WRITE
    }

    /** Where the range is now. RELEASED and FORWARDED are final, though a caller that wants to be sure of that keeps the answer. */
    Ledger.Place place();

    /** Parks the thread until something may have changed, or for {@code nanos}; returns early now and then. */
    void awaitChange(long nanos);

    /** Whether others move the range without telling, so that who waits has to ask now and then. */
    boolean mustBeAsked();

    /** How the range was handed over. */
    Means means();

    /** Whether the bytes are known to have been copied, by the kernel or by the library, so that nobody ever had the pages. */
    boolean isCopied();
}
