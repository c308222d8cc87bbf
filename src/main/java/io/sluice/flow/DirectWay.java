package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.Fd.Kind;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;

/** One call takes bytes from one side and gives them to the other: none are ever in between. */
final class DirectWay implements TransferWay {
    /** How much one call is asked for where somebody wants to hear of progress. */
    private static final long STEP = 16 << 20;

    /** An attempt that returns bytes, 0 for would block, −1 for the end of input. */
    @FunctionalInterface
    interface Attempt {
        long make(long most) throws IOException;
    }

    private final TransferRun run;
    private final Call call;
    private final Attempt attempt;

    /** How long the source was when the target was first full; negative before. */
    private long knownLength = -1;

    DirectWay(TransferRun run, Call call, Attempt attempt) {
        this.run = run;
        this.call = call;
        this.attempt = attempt;
    }

    @Override
    public boolean move() throws IOException {
        if (call.isDenied()) {
            return false;
        }
        for (int round = 0; run.left() > 0; ) {
            run.stopIfInterrupted();
            long most = run.isWatched() ? Math.min(run.left(), STEP) : run.left();
            long n;
            try {
                n = attempt.make(most);
            } catch (ErrnoException e) {
                if (run.delivered() == 0 && Route.isBarred(call, e) && !isTheSamePipe(e)) {
                    return false;
                }
                throw run.failed(e, Route.culprit(e, run.from.kind, run.to.kind));
            }
            if (n < 0) {
                return run.isEnd();
            } else if (n == 0) {
                await(round++);
            } else {
                round = 0;
                run.from.moved(n);
                run.delivered(n);
                run.tell();
                if (n < most && call == Call.SENDFILE && hasMore()) {
                    run.waiting.awaitRoom();
                }
            }
        }
        return true;
    }

    // Copying a pipe into itself would never end.
    private boolean isTheSamePipe(ErrnoException e) {
        return e.errno() == Linux.EINVAL() && run.from.kind == Kind.PIPE && run.to.kind == Kind.PIPE;
    }

    private void await(int round) throws IOException {
        if (call == Call.SPLICE) {
            run.waiting.awaitEither(round);
        } else {
            run.waiting.awaitTarget(round);
        }
    }

    // At the end of the source it must not be waited for room that nobody needs.
    private boolean hasMore() throws IOException {
        if (run.to.kind == Kind.SOCKET && knownLength < 0) {
            knownLength = run.delivered() + run.from.remaining();
        }
        return run.delivered() < knownLength;
    }
}
