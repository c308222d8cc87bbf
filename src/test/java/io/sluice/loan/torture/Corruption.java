package io.sluice.loan.torture;

/** What came out of a pipe, or is in memory, is not what it should be. */
final class Corruption extends AssertionError {
    private static final long serialVersionUID = 1L;

    Corruption(String message) {
        super(message);
    }
}
