package io.sluice.bench;

import io.sluice.bench.Load.Result;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** One way of relaying in as many processes as the limit of descriptors demands, each beside one that sends and answers requests. */
final class RelayFleet implements AutoCloseable {
    /** Starts a relay to a port of this machine, with room for so many connections. */
    interface Starter {
        RelayProcess start(int upstream, int connections) throws Exception;
    }

    private final List<Integer> upstreams = new ArrayList<>();
    private final List<RelayProcess> relays = new ArrayList<>();
    private final List<Load> loads = new ArrayList<>();
    private double residentBefore;
    private double descriptorsBefore;

    /** @param connections of each process */
    RelayFleet(Starter starter, int processes, int connections) throws Exception {
        try {
            for (int i = 0; i < processes; i++) {
                upstreams.add(RelayProcess.freePort());
                relays.add(starter.start(upstreams.getLast(), connections));
            }
        } catch (Exception e) {
            close();
            throw e;
        }
    }

    /** Opens the connections, each process as many, after a first one of which what a relay loads and keeps for it is no cost of the others. */
    void connect(int connections, int atOnce, int bytes) throws IOException {
        open(1, 1);
        run(bytes, 0.2);
        closeLoads();
        residentBefore = residentKib();
        descriptorsBefore = descriptors();
        open(connections, atOnce);
    }

    private void open(int connections, int atOnce) throws IOException {
        for (int i = 0; i < relays.size(); i++) {
            loads.add(new Load(upstreams.get(i), relays.get(i).port, connections, atOnce));
        }
        for (Load load : loads) {
            load.awaitConnected();
        }
    }

    Result run(int bytes, double seconds) throws IOException {
        for (Load load : loads) {
            load.begin(bytes, seconds);
        }
        Result all = loads.getFirst().result();
        for (Load load : loads.subList(1, loads.size())) {
            all = all.with(load.result());
        }
        return all;
    }

    double cpuSeconds() throws IOException {
        double sum = 0;
        for (RelayProcess relay : relays) {
            sum += relay.cpuSeconds();
        }
        return sum;
    }

    /** More than before the connections, of all processes. */
    double residentKibMore() throws IOException {
        return residentKib() - residentBefore;
    }

    double descriptorsMore() throws IOException {
        return descriptors() - descriptorsBefore;
    }

    private double residentKib() throws IOException {
        double sum = 0;
        for (RelayProcess relay : relays) {
            sum += relay.residentKib();
        }
        return sum;
    }

    private double descriptors() throws IOException {
        double sum = 0;
        for (RelayProcess relay : relays) {
            sum += relay.descriptors();
        }
        return sum;
    }

    /** Of the relays' processes. */
    List<Long> pids() {
        return relays.stream().map(RelayProcess::pid).toList();
    }

    private void closeLoads() throws IOException {
        for (Load load : loads) {
            load.close();
        }
        loads.clear();
    }

    @Override
    public void close() throws IOException {
        // The relays first: nobody waits for an end that a relay in trouble does not hand on.
        relays.forEach(RelayProcess::close);
        closeLoads();
    }
}
