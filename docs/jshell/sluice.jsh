// Five short experiments with pipes. From the project's folder, after the library was built:
//
//   jshell -R--enable-native-access=ALL-UNNAMED --class-path target/classes --startup DEFAULT --startup docs/jshell/sluice.jsh
//
// then call slots(), files(), twice(), live() or errors(); kernel() prints what this kernel was seen to do.

import io.sluice.*
import java.nio.ByteBuffer
import java.nio.file.*

ByteBuffer bytes(String text) { return ByteBuffer.wrap(text.getBytes()); }

String text(PipeSource source) throws Exception {
    var into = ByteBuffer.allocate(1 << 16);
    source.tryRead(into);
    return new String(into.array(), 0, into.position());
}

// A pipe is full when its slots are, not its bytes: each packet takes a slot of its own.
void slots() throws Exception {
    try (var pipe = Pipe.open(Pipe.Option.PACKETS)) {
        int packets = 0;
        while (pipe.sink().tryWrite(bytes("x")) == 1) packets++;
        System.out.println(packets + " packets of 1 byte fill a pipe of " + pipe.capacity() + " bytes");
    }
}

// File → pipe → file: the bytes never enter this JVM.
void files() throws Exception {
    var copy = Files.createTempFile("sluice", ".copy");
    var original = Path.of(System.getProperty("java.home"), "release");
    try (var pipe = Pipe.open(); var from = Fd.open(original); var to = Fd.open(copy, StandardOpenOption.WRITE)) {
        while (pipe.sink().spliceFrom(from, pipe.capacity()) > 0) {
            while (pipe.available() > 0) pipe.source().spliceTo(to, pipe.available());
        }
        System.out.println(original + " and its copy differ at byte " + Files.mismatch(original, copy) + " (-1: nowhere)");
    } finally {
        Files.delete(copy);
    }
}

// tee: the same bytes in a second pipe, and still in the first.
void twice() throws Exception {
    try (var first = Pipe.open(); var second = Pipe.open()) {
        first.sink().write(bytes("once written"));
        first.source().teeTo(second.sink(), 100);
        System.out.println("second: " + text(second.source()) + "; first: " + text(first.source()));
    }
}

// A page that was spliced from a file is the file's own page: what is written to the file later comes out of the pipe.
void live() throws Exception {
    var file = Files.createTempFile("sluice", ".live");
    try (var pipe = Pipe.open(); var from = Fd.open(file)) {
        Files.writeString(file, "before");
        pipe.sink().spliceFrom(from, 6);
        try (var writer = java.nio.channels.FileChannel.open(file, StandardOpenOption.WRITE)) { writer.write(bytes("after!")); }
        System.out.println("spliced while the file said \"before\", read: " + text(pipe.source()));
    } finally {
        Files.delete(file);
    }
}

// What an error says.
void errors() throws Exception {
    var log = Files.createTempFile("sluice", ".log");
    try (var pipe = Pipe.open(); var to = Fd.open(log, StandardOpenOption.APPEND)) {
        pipe.sink().write(bytes("a line\n"));
        try {
            pipe.source().spliceTo(to, 100);
        } catch (ErrnoException e) {
            System.out.println(e.getMessage());
        }
        System.out.println("still in the pipe: " + pipe.available() + " bytes");
    } finally {
        Files.delete(log);
    }
}

void kernel() { System.out.print(Kernel.observed().report()); }
