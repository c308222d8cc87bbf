package io.sluice.flow;

import java.io.IOException;

/** A way of moving the bytes of a transfer. */
@FunctionalInterface
interface TransferWay {
    /**
     * Moves what is left of the job.
     *
     * @return whether it came to the job's end; if not, nothing has been delivered, or what was taken from the source has been, and the next
     *     way goes on from there
     */
    boolean move() throws IOException;
}
