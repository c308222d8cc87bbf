package io.sluice;

import io.sluice.internal.Descriptor;
import io.sluice.internal.FileCalls;
import io.sluice.internal.Ledger;
import io.sluice.internal.Syscalls;
import io.sluice.internal.WaitCalls;
import io.sluice.internal.ffi.Linux;
import java.util.function.IntUnaryOperator;
import org.jspecify.annotations.Nullable;

/** What the kernel says of a pipe, asked of an end that is open, of those the library has. */
record PipeLevel(@Nullable Descriptor sink, @Nullable Descriptor source) implements Ledger.Level {
    @Override
    public int inPipe() {
        int n = available(sink);
        return n >= 0 ? n : available(source);
    }

    // Asked for every loan: no lambda, and no call that can be spared, because deeper it is compiled so that it
    // allocates.
    private static int available(@Nullable Descriptor end) {
        if (end == null || !end.enter()) {
            return -1;
        }
        try {
            return Syscalls.ioctl(end.number(), Linux.FIONREAD());
        } finally {
            end.exit();
        }
    }

    @Override
    public boolean isRead() {
        int events = ask(number -> WaitCalls.poll(number, 0, 0));
        return events < 0 || (events & Linux.POLLERR()) == 0;
    }

    @Override
    public long inode() {
        FileCalls.Status[] status = new FileCalls.Status[1];
        int result = ask(number -> FileCalls.status(number, status));
        return result < 0 ? 0 : status[0].inode();
    }

    private int ask(IntUnaryOperator question) {
        int answer = ask(sink, question);
        return answer >= 0 ? answer : ask(source, question);
    }

    private static int ask(@Nullable Descriptor end, IntUnaryOperator question) {
        if (end == null || !end.enter()) {
            return -1;
        }
        try {
            return question.applyAsInt(end.number());
        } finally {
            end.exit();
        }
    }
}
