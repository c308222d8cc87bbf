package io.sluice.send;

import io.sluice.internal.Hold;
import io.sluice.internal.Ledger.Place;

/** What a send copied: nobody has the pages. */
enum CopiedHold implements Hold {
    INSTANCE;

    @Override
    public Place place() {
        return Place.RELEASED;
    }

    @Override
    public void awaitChange(long nanos) {}

    @Override
    public boolean mustBeAsked() {
        return false;
    }

    @Override
    public Means means() {
        return Means.WRITE;
    }

    @Override
    public boolean isCopied() {
        return true;
    }
}
