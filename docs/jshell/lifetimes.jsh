// Three short experiments with memory that is lent. From the project's folder, after the library was built:
//
//   jshell -R--enable-native-access=ALL-UNNAMED --class-path target/classes --startup DEFAULT --startup docs/jshell/lifetimes.jsh
//
// then call hazard(), answer() or back(). docs/lifetimes.md has the rule that they show.

import io.sluice.*
import io.sluice.loan.*
import java.lang.foreign.*
import java.lang.invoke.MethodHandle
import static java.lang.foreign.ValueLayout.*

MethodHandle call(String name, MemoryLayout result, MemoryLayout... arguments) {
    var linker = Linker.nativeLinker();
    return linker.downcallHandle(linker.defaultLookup().find(name).get(), FunctionDescriptor.of(result, arguments));
}

// The bare system calls, without the library: a page that is in a pipe is still the program's own page.
void hazard() throws Throwable {
    var pipe2 = call("pipe2", JAVA_INT, ADDRESS, JAVA_INT);
    var vmsplice = call("vmsplice", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
    var read = call("read", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG);
    var close = call("close", JAVA_INT, JAVA_INT);
    try (var arena = Arena.ofConfined()) {
        var ends = arena.allocate(JAVA_INT, 2);
        if ((int) pipe2.invokeExact(ends, 0) != 0) throw new IllegalStateException("pipe2");
        int source = ends.getAtIndex(JAVA_INT, 0), sink = ends.getAtIndex(JAVA_INT, 1);
        var page = arena.allocate(4096, 4096).fill((byte) 'A');
        var range = arena.allocate(ADDRESS, 2);
        range.setAtIndex(ADDRESS, 0, page);
        range.setAtIndex(JAVA_LONG, 1, 4096);
        if ((long) vmsplice.invokeExact(sink, range, 1L, 0) == 4096) {
            page.fill((byte) 'B');
            var got = arena.allocate(1);
            long n = (long) read.invokeExact(source, got, 1L);
            System.out.println("lent a page of A, stored B in it, read: " + (char) got.get(JAVA_BYTE, 0));
        } else {
            System.out.println("vmsplice is denied to this program");
        }
        // Both ends are closed before the page is freed, so that nobody has it then.
        int closed = (int) close.invokeExact(source) + (int) close.invokeExact(sink);
    }
}

// The same with the library: what is lent cannot be reached, so there is nothing to get wrong.
void answer() throws Exception {
    try (var pipe = Pipe.open(); var arena = PageArena.open()) {
        var page = arena.allocate(4096).fill((byte) 'A');
        var loan = arena.lend(page, pipe.sink());
        System.out.println("lent a page of A: " + loan);
        try {
            page.fill((byte) 'B');
        } catch (IllegalStateException e) {
            System.out.println("tried to store B in it: " + e.getMessage());
        }
        var got = java.nio.ByteBuffer.allocate(1);
        pipe.source().read(got);
        System.out.println("read: " + (char) got.get(0));
    }
}

// How it comes back: the same pages if they were read, fresh ones if somebody may still have the old ones.
void back() throws Exception {
    try (var pipe = Pipe.open(); var second = Pipe.open(); var arena = PageArena.open()) {
        var loan = arena.lend(arena.allocate(4096).fill((byte) 'A'), pipe.sink());
        pipe.source().read(java.nio.ByteBuffer.allocate(4096));
        System.out.println("read: " + loan.state() + ", and reclaimed it holds " + content(loan.reclaim()));

        loan = arena.lend(arena.allocate(4096).fill((byte) 'A'), pipe.sink());
        pipe.source().teeTo(second.sink(), 4096);
        pipe.source().read(java.nio.ByteBuffer.allocate(4096));
        var again = loan.reclaim();
        System.out.println("tee'd and read: " + loan.state() + ", and reclaimed it holds " + content(again));

        again.fill((byte) 'B');
        var got = java.nio.ByteBuffer.allocate(1);
        second.source().read(got);
        System.out.println("stored B in that; the second pipe has " + (char) got.get(0));
    }
}

String content(MemorySegment page) { return page.get(JAVA_BYTE, 0) == 0 ? "zeros" : "" + (char) page.get(JAVA_BYTE, 0); }
