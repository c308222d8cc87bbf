package io.sluice.flow;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/** Who takes part in a fan-out besides the primary. Branches may join on any thread until the stream has ended. */
final class Branches {
    private final ReentrantLock joining = new ReentrantLock();
    private final FanoutEvent event;

    /** Those that take part, and those that have ended since the last step; replaced as a whole, under the lock. */
    private volatile Branch[] members = {};

    private volatile boolean changed;
    private volatile boolean ended;

    /** @param event what ended branches are accounted to */
    Branches(FanoutEvent event) {
        this.event = event;
    }

    /** Whether the branch takes part from the next step on; false if the stream has ended. */
    boolean join(Branch branch) {
        joining.lock();
        try {
            if (ended) {
                return false;
            }
            Branch[] more = Arrays.copyOf(members, members.length + 1);
            more[members.length] = branch;
            members = more;
            changed = true;
            return true;
        } finally {
            joining.unlock();
        }
    }

    /** Whether others take part than when this was asked before. */
    boolean haveChanged() {
        boolean have = changed;
        if (have) {
            changed = false;
        }
        return have;
    }

    Branch[] members() {
        return members;
    }

    void forgetEnded() {
        joining.lock();
        try {
            List<Branch> left = new ArrayList<>();
            for (Branch branch : members) {
                if (branch.state() == Branch.State.RUNNING) {
                    left.add(branch);
                } else {
                    event.account(branch);
                }
            }
            members = left.toArray(Branch[]::new);
            changed = true;
        } finally {
            joining.unlock();
        }
    }

    boolean haveEnded() {
        return ended;
    }

    private void end() {
        joining.lock();
        try {
            ended = true;
        } finally {
            joining.unlock();
        }
    }

    /** The stream has ended: waits until every branch has delivered what it was given, or has ended otherwise. */
    void finish() throws InterruptedException {
        end();
        for (Branch branch : members) {
            branch.finish();
        }
        for (Branch branch : members) {
            branch.awaitEnd();
        }
    }

    /** Ends them where they are, if they have not ended. */
    void stop() {
        end();
        for (Branch branch : members) {
            branch.stop();
        }
    }

    /** Accounts those that were not forgotten before. */
    void account() {
        for (Branch branch : members) {
            event.account(branch);
        }
    }
}
