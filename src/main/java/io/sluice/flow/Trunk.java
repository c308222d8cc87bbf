package io.sluice.flow;

import io.sluice.Pipe;
import io.sluice.PipeSink;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicLong;

/** The way of a fan-out that runs: from the source into the master pipe, from there by reference to the branches, and on to the primary. */
final class Trunk implements Closeable {
    private final PipePool pool;
    private final Branches branches;
    private final Pipe master;
    private final boolean copies;
    private final Intake intake;
    private final Outflow outflow;

    /** The branches of this step; the master fits them. */
    private Branch[] taking = {};

    /** What the master holds, in bytes; less than it had from the pool if it was made smaller. */
    private long room;

    private boolean shrunk;
    private boolean released;

    /** Bytes in the master pipe, or read from it to be written to the primary. */
    private final AtomicLong inMaster = new AtomicLong();

    private final AtomicLong delivered = new AtomicLong();

    Trunk(Closeable source, Closeable primary, PipePool pool, Branches branches) throws IOException {
        this.pool = pool;
        this.branches = branches;
        this.master = pool.take();
        this.room = master.capacity();
        this.copies = Call.TEE.isDeniedWhenAsked();
        this.intake = new Intake(source, copies || Call.SPLICE.isDenied());
        this.outflow = new Outflow(master.source(), primary);
    }

    /** Moves the stream to its end; the branches may need longer. */
    void pump() throws IOException, InterruptedException {
        Attempts attempts = new Attempts();
        Spill.Step step = this::duplicate;
        // Invariant: the master is empty, and every branch was given exactly what the primary has since it joined.
        while (true) {
            checkInterrupted();
            if (branches.haveChanged()) {
                fit();
            }
            long n;
            try {
                n = intake.fill(master.sink(), room);
            } catch (IOException e) {
                inMaster.set(master.available());
                branches.finish();
                throw stopped("source " + intake, e);
            }
            if (n < 0) {
                return;
            } else if (n == 0) {
                intake.await(attempts);
                continue;
            }
            attempts.moved();
            inMaster.set(n);
            boolean lost = false;
            for (Branch branch : taking) {
                lost |= !branch.give(step, n);
            }
            deliver(attempts);
            if (lost) {
                branches.forgetEnded();
            }
        }
    }

    // The invariant of Branch.give: no branch's pipe is smaller than the master. The master is empty, so that it can
    // always shrink. A branch that is added later begins with the next step.
    private void fit() throws IOException {
        taking = branches.members();
        for (Branch branch : taking) {
            branch.start();
            if (branch.room() < room) {
                room = master.capacity(branch.room());
                shrunk = true;
            }
        }
    }

    private void duplicate(PipeSink into) throws IOException {
        ByteBuffer bytes = copies ? intake.copied() : null;
        Attempts attempts = new Attempts();
        long length = inMaster.get();
        for (long n = 0; n < length; ) {
            long moved = bytes != null ? into.tryWrite(bytes) : master.source().tryTeeTo(into, length);
            n += moved;
            if (moved == 0) {
                attempts.await(null, into);
            } else if (bytes == null && moved < length) {
                throw new IOException("tee duplicated " + moved + " of " + length + " bytes into an empty " + into
                        + ", which had room for all");
            }
        }
    }

    private void deliver(Attempts attempts) throws IOException, InterruptedException {
        // Invariant: the master, and what was read from it to be written, hold the last inMaster bytes that were read.
        for (long left; (left = inMaster.get()) > 0; ) {
            try {
                long n = outflow.deliver(left);
                if (n > 0) {
                    attempts.moved();
                    inMaster.addAndGet(-n);
                    delivered.addAndGet(n);
                } else {
                    checkInterrupted();
                    outflow.await(attempts);
                }
            } catch (IOException e) {
                branches.finish();
                throw stopped("primary " + outflow, e);
            }
        }
    }

    private static void checkInterrupted() throws InterruptedException {
        if (Thread.interrupted()) {
            throw new InterruptedException();
        }
    }

    FanoutException stopped(String where, IOException cause) {
        return new FanoutException(where, cause, delivered(), undelivered());
    }

    /** Gives the master back, unless it is needed for the remainder. */
    void release() throws IOException {
        if (undelivered() > 0) {
            master.sink().close(); // so that the remainder has an end
            return;
        }
        released = true;
        if (shrunk) {
            master.close();
        } else {
            pool.giveBack(master);
        }
    }

    long delivered() {
        return delivered.get();
    }

    long undelivered() {
        return inMaster.get() + intake.held();
    }

    Remainder remainder() {
        return Remainder.of(outflow.held(), released ? null : master.source(), intake.buffer());
    }

    /** Gives up what is undelivered. */
    @Override
    public void close() throws IOException {
        inMaster.set(0);
        if (!released) {
            released = true;
            master.close();
        }
    }
}
