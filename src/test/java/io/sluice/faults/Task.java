package io.sluice.faults;

import io.sluice.Pipe;
import io.sluice.loan.Loan.Method;
import java.io.IOException;
import java.util.Locale;

/** The jobs by name, as both processes know them. */
enum Task {
    FILE_TO_FILE(() -> new Pump.BetweenFiles(Pump.Form.WAITING)),
    FILE_TO_FILE_AT_OFFSETS(() -> new Pump.BetweenFiles(Pump.Form.AT_OFFSETS)),
    FILE_TO_FILE_TRYING(() -> new Pump.BetweenFiles(Pump.Form.TRYING)),
    SOCKET_TO_SOCKET(Sockets.Pumped::new),
    RELAY(Relayed::new),
    PIPE_TO_PIPE(() -> new Pump.BetweenPipes(Pump.Form.WAITING)),
    PIPE_TO_PIPE_TRYING(() -> new Pump.BetweenPipes(Pump.Form.TRYING)),
    FILE_TO_FILE_AGAIN_AND_AGAIN(() -> new Pump.Stubborn(new Pump.BetweenFiles(Pump.Form.WAITING))),
    PIPE_TO_PIPE_AGAIN_AND_AGAIN(() -> new Pump.Stubborn(new Pump.BetweenPipes(Pump.Form.WAITING))),
    COPY(() -> new Pump.Copying(Pump.Form.WAITING, false)),
    COPY_TRYING(() -> new Pump.Copying(Pump.Form.TRYING, false)),
    COPY_OF_ARRAYS(() -> new Pump.Copying(Pump.Form.WAITING, true)),
    COPY_AGAIN_AND_AGAIN(() -> new Pump.Stubborn(new Pump.Copying(Pump.Form.WAITING, false))),
    TEE(() -> new Tee(true)),
    TEE_TRYING(() -> new Tee(false)),
    VMSPLICE(Opens.Lend::new),
    SEND(() -> new Sends(Method.MSG_ZEROCOPY, 1)),
    SEND_TWO_AT_ONCE(() -> new Sends(Method.MSG_ZEROCOPY, 2)),
    SEND_BY_RING(() -> new Sends(Method.SEND_ZC, 1)),
    READ_OF_EMPTY_PIPE(Waits.Read::new),
    SPLICE_FROM_EMPTY_PIPE(Waits.SpliceFromEmpty::new),
    SPLICE_TO_FULL_PIPE(Waits.SpliceToFull::new),
    TEE_FROM_EMPTY_PIPE(Waits.TeeFromEmpty::new),
    LONG_WRITE(Waits.LongWrite::new),
    LONG_WRITE_OF_BUFFER(Waits.LongBufferWrite::new),
    OPEN_PIPES(Opens.Pipes::new),
    OPEN_PIPES_OF_ONE_DESCRIPTOR(() -> new Opens.Pipes(Pipe.Option.SINGLE_DESCRIPTOR, Pipe.Option.PACKETS)),
    PIPE_ALONE(Opens.Alone::new),
    CAPACITY(Opens.Capacity::new),
    AVAILABLE(Opens.Available::new),
    OPEN_FILE(Opens.FilePath::new),
    OPEN_PIPE_AGAIN(Opens.SourceOf::new),
    BORROW_SOCKET(Sockets.Borrowed::new),
    DESCRIPTOR_OF_CHANNEL(Sockets.OfChannel::new),
    CLOSE(Opens.Closing::new),
    TRANSFER_FILE_TO_FILE(() -> new Transfers(Transfers.End.FILE, Transfers.End.FILE)),
    TRANSFER_FILE_TO_SOCKET(() -> new Transfers(Transfers.End.FILE, Transfers.End.SOCKET)),
    TRANSFER_FILE_TO_PIPE(() -> new Transfers(Transfers.End.FILE, Transfers.End.PIPE)),
    TRANSFER_SOCKET_TO_FILE(() -> new Transfers(Transfers.End.SOCKET, Transfers.End.FILE)),
    TRANSFER_SOCKET_TO_SOCKET(() -> new Transfers(Transfers.End.SOCKET, Transfers.End.SOCKET)),
    TRANSFER_PIPE_TO_SOCKET(() -> new Transfers(Transfers.End.PIPE, Transfers.End.SOCKET)),
    TRANSFER_PIPE_TO_FILE(() -> new Transfers(Transfers.End.PIPE, Transfers.End.FILE)),
    FAN_OUT(Flows.FannedOut::new),
    GATHER(Flows.Gathered::new),
    MASTER_PIPE(() -> new MasterPipes(false, Job.CAPACITY)),
    MASTER_PIPE_TO_FILL(() -> new MasterPipes(true, Job.CAPACITY)),
    MASTER_PIPE_THAT_WRITES(() -> new MasterPipes(false, 1)),
    RING_SENDS(RingSends::new);

    private interface Maker {
        Job make() throws IOException;
    }

    private final Maker maker;

    Task(Maker maker) {
        this.maker = maker;
    }

    Job make() throws IOException {
        return maker.make();
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
}
