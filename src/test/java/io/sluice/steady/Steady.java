package io.sluice.steady;

import io.sluice.flow.Way;
import io.sluice.loan.Loan.Method;
import java.io.IOException;

/** Jobs in their steady state, by the names that both processes know them by. */
enum Steady {
    FILE_TO_FILE(Transfers.FileToFile::new),
    FILE_TO_SOCKET(Transfers.FileToSocket::new),
    LONG_FILE_TO_SOCKET(Transfers.LongFileToSocket::new),
    SOCKET_TO_FILE(Transfers.SocketToFile::new),
    PIPE_TO_SOCKET(Transfers.PipeToSocket::new),
    GATHER(Gathers::new),
    STEPS_OF_PIPES(Relays.OfPipes::new),
    STEPS_ONE_WAY(() -> new Relays.OfSockets(Way.FORTH)),
    STEPS_BOTH_WAYS(() -> new Relays.OfSockets(Way.FORTH, Way.BACK)),
    RUN_ONE_WAY(() -> new Relays.Runs(false)),
    RUN_BOTH_WAYS(() -> new Relays.Runs(true)),
    RUN_WOKEN(Relays.Woken::new),
    FAN_OUT(() -> new FansOut(16L * Turns.MEBIBYTE)),
    SMALL_FAN_OUT(() -> new FansOut(Turns.CHUNK)),
    SMALL_RESPONSES(() -> new Responses(Turns.CHUNK, 2 * Turns.MEBIBYTE)),
    LARGE_RESPONSES(() -> new Responses(Turns.MEBIBYTE, 2 * Turns.MEBIBYTE)),
    RESPONSES_IN_PARTS(() -> new Responses(Turns.MEBIBYTE, Turns.CHUNK)),
    RING(Lends.Ring::new),
    LOANS(Lends.Loans::new),
    SENDS_BY_URING(() -> new Sends(Method.SEND_ZC)),
    SENDS_WITH_NOTIFICATION(() -> new Sends(Method.MSG_ZEROCOPY)),
    SENDS_BY_WRITE(() -> new Sends(Method.WRITE)),
    POOL(Pools::new);

    private interface Maker {
        Turns make() throws IOException;
    }

    private final Maker maker;

    Steady(Maker maker) {
        this.maker = maker;
    }

    Turns make() throws IOException {
        return maker.make();
    }
}
