package io.sluice.send;

import io.sluice.internal.Hold;
import io.sluice.internal.Ledger.Place;

/** What one send took by reference, until the kernel says that it is done with it. */
final class SentHold implements Hold {
    private final Engine engine;
    private volatile Place place = Place.IN_PIPE;

    /** Written before the place that makes it known. */
    private boolean copied;

    SentHold(Engine engine) {
        this.engine = engine;
    }

    /** The kernel is done with it. */
    void released(boolean wasCopied) {
        if (place == Place.IN_PIPE) {
            copied = wasCopied;
            place = Place.RELEASED;
        }
    }

    /** Nobody will ask the kernel any more. */
    void retired() {
        if (place == Place.IN_PIPE) {
            place = Place.FORWARDED;
        }
    }

    boolean isOf(Engine other) {
        return engine.equals(other);
    }

    /** Whether its place is known for good, without asking the kernel. */
    boolean isSettled() {
        return place != Place.IN_PIPE;
    }

    @Override
    public Place place() {
        if (place == Place.IN_PIPE) {
            engine.reap();
        }
        return place;
    }

    @Override
    public void awaitChange(long nanos) {
        engine.await(this, nanos);
    }

    @Override
    public boolean mustBeAsked() {
        return false;
    }

    @Override
    public Means means() {
        return engine.means();
    }

    @Override
    public boolean isCopied() {
        return place == Place.RELEASED && copied;
    }
}
