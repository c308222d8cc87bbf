package io.sluice.loan.torture;

import io.sluice.loan.torture.Figures.Count;
import java.io.IOException;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.BiFunction;

/** A writer, a reader and one pipe after the other between them. */
final class Lane implements Runnable {
    private final Run run;
    private final String name;
    private final boolean virtual;
    private final Stream stream;
    private final SplittableRandom random;
    private final BiFunction<Lane, SplittableRandom, Lender> lenders;
    private final Observer observer = new Observer(this::failed);
    private final Thread watching;
    private volatile Writer writer;
    private volatile Reader reader;
    private volatile Episode episode;

    Lane(
            Run run,
            int number,
            boolean virtual,
            SplittableRandom random,
            BiFunction<Lane, SplittableRandom, Lender> lenders) {
        this.run = run;
        this.name = "lane " + number + (virtual ? ", virtual threads" : ", platform threads");
        this.virtual = virtual;
        this.random = random;
        this.stream = new Stream(run.content(), random.nextInt(Content.PERIOD));
        this.lenders = lenders;
        this.watching = thread(observer);
    }

    Run owner() {
        return run;
    }

    Stream stream() {
        return stream;
    }

    Observer observer() {
        return observer;
    }

    Thread thread(Runnable body) {
        return virtual
                ? Thread.ofVirtual().unstarted(body)
                : Thread.ofPlatform().daemon().name("torture " + name).unstarted(body);
    }

    @Override
    public void run() {
        watching.start();
        try (Lender lender = lenders.apply(this, random.split());
                Outlets outlets = new Outlets(stream, random.split(), run.figures());
                Writer w = new Writer(stream, random.split(), run.figures(), lender, run);
                Reader r = new Reader(stream, random.split(), run.figures(), outlets, run)) {
            writer = w;
            reader = r;
            for (long position = 0; run.goesOn(); position = episode.writtenAtMost) {
                outlets.replace();
                pass(new Episode(random, position));
            }
            lender.begin(episode);
            if (!run.hasFailed()) {
                outlets.drainAll();
            }
        } catch (Throwable t) {
            failed(t);
        } finally {
            end();
        }
    }

    private void pass(Episode next) throws IOException {
        episode = next;
        run.figures().add(Count.PIPES);
        Thread reading = thread(() -> guarded(() -> reader.read(next)));
        next.reader = reading;
        reading.start();
        guarded(() -> writer.write(next));
        join(reading);
        next.pipe.close();
    }

    private interface Body {
        void run() throws Exception;
    }

    /** Runs one side to its end, which may be that the other one has closed the pipe. */
    private void guarded(Body body) {
        try {
            body.run();
        } catch (Episode.CutShort e) {
            // As was to be.
        } catch (Throwable t) {
            failed(t);
        } finally {
            Thread.interrupted();
        }
    }

    private void failed(Throwable t) {
        run.failed(new AssertionError(t.getMessage() + "\n" + this, t));
        abandon();
    }

    /** Closes the pipe, for whoever waits at either end to go home. */
    void abandon() {
        Episode current = episode;
        if (current != null) {
            current.closing = true;
            try {
                current.pipe.close();
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }
    }

    private void end() {
        for (boolean told = false; !told; ) {
            try {
                observer.end();
                told = true;
            } catch (InterruptedException e) {
                Thread.interrupted();
            }
        }
        join(watching);
    }

    private static void join(Thread thread) {
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.interrupted();
            }
        }
        Thread.interrupted();
    }

    /** Where its threads are, for whoever has to find out what they wait for. */
    String stacks() {
        StringBuilder text = new StringBuilder();
        if (episode == null) {
            return "";
        }
        for (Thread thread : Arrays.asList(episode.writer, episode.reader, watching)) {
            text.append("  ")
                    .append(thread)
                    .append(' ')
                    .append(thread.getState())
                    .append('\n');
            for (StackTraceElement frame : thread.getStackTrace()) {
                text.append("    at ").append(frame).append('\n');
            }
        }
        return text.toString();
    }

    /** Where it is, for whoever has to find out what went wrong. */
    @Override
    public String toString() {
        return episode == null ? name : "%s, %s%n%s%s".formatted(name, episode, writer.journal(), reader.journal());
    }
}
