package io.sluice.flow;

/** A direction between two peers. */
public enum Way {
    /** From the first to the second. */
    FORTH,
    /** From the second to the first. */
    BACK
}
