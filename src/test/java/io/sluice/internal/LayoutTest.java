package io.sluice.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Helper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.PaddingLayout;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Compares the bindings with what a C compiler says, for each architecture of which there is a compiler. */
class LayoutTest {
    private static final Path HEADER = Path.of("jextract", "linux.h").toAbsolutePath();
    private static final Path INCLUDES = Path.of("jextract", "linux.includes");

    /** A structure that the bindings have and the library does not use. */
    private static final String UNUSED = "stat";

    @TempDir
    private Path folder;

    @Test
    void bindingsAreThoseOfX86() throws Exception {
        assertThat(bindings(Set.of())).isEqualTo(compiled(Arch.X86_64, Set.of()));
    }

    @Test
    void onArm64NothingDiffersButWhatArchKnows() throws Exception {
        Map<String, Long> here = bindings(Set.of(UNUSED));
        Map<String, Long> there = compiled(Arch.AARCH64, Set.of(UNUSED));
        assertThat(there.keySet()).isEqualTo(here.keySet());
        assertThat(differing(here, there))
                .containsExactly(
                        "O_DIRECT",
                        "O_NOFOLLOW",
                        "offset epoll_event.data",
                        "offset epoll_event.data.fd",
                        "offset epoll_event.data.ptr",
                        "offset epoll_event.data.u32",
                        "offset epoll_event.data.u64",
                        "size epoll_event");
    }

    @Test
    void archKnowsX86() throws Exception {
        assertKnown(Arch.X86_64);
    }

    @Test
    void archKnowsArm64() throws Exception {
        assertKnown(Arch.AARCH64);
    }

    @Test
    void everyFunctionAskedForIsBound() throws Exception {
        Set<String> bound = new TreeSet<>();
        Stream.of(Linux.class.getMethods())
                .map(Method::getName)
                .filter(name -> name.endsWith("$address"))
                .forEach(name -> bound.add(name.substring(0, name.indexOf('$'))));
        // A variadic one is a class, of which instances are made for fixed arguments.
        Stream.of(Linux.class.getClasses()).map(Class::getSimpleName).forEach(bound::add);
        assertThat(requests(Set.of()).stream().filter(Request::isFunction).map(Request::name))
                .isNotEmpty()
                .allMatch(bound::contains);
    }

    @Test
    void structureThatDiffersElsewhereIsNotUsed() throws Exception {
        byte[] reference = ("io/sluice/internal/ffi/" + UNUSED).getBytes(StandardCharsets.UTF_8);
        Path classes = Path.of(Syscalls.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI());
        try (Stream<Path> files = Files.walk(classes.resolve("io"))) {
            assertThat(files.filter(file -> file.toString().endsWith(".class"))
                            .filter(file -> !file.toString().contains("/internal/ffi/")))
                    .isNotEmpty()
                    .noneMatch(file -> names(file, new String(reference, StandardCharsets.ISO_8859_1)));
        }
    }

    private void assertKnown(Arch arch) throws Exception {
        assertThat(compiled(arch, Set.of(UNUSED)))
                .containsEntry("O_DIRECT", (long) arch.oDirect)
                .containsEntry("O_NOFOLLOW", (long) arch.oNofollow)
                .containsEntry("size epoll_event", (long) arch.epollEventSize)
                .containsEntry("offset epoll_event.data", (long) arch.epollDataOffset);
    }

    private static Set<String> differing(Map<String, Long> here, Map<String, Long> there) {
        Set<String> names = new TreeSet<>();
        here.forEach((name, value) -> {
            if (!value.equals(there.get(name))) {
                names.add(name);
            }
        });
        return names;
    }

    /** Every constant, size and offset that was asked of jextract, as it answered. */
    private static Map<String, Long> bindings(Set<String> except) throws Exception {
        Map<String, Long> values = new TreeMap<>();
        for (Request request : requests(except)) {
            if (request.isConstant()) {
                values.put(request.name(), constant(request.name()));
            } else if (request.isType()) {
                GroupLayout layout = layout(request.name());
                values.put("size " + request.name(), layout.byteSize());
                members(request.name(), layout, 0, values);
            }
        }
        return values;
    }

    /** The same names, with what a compiler for this architecture makes of them. */
    private Map<String, Long> compiled(Arch arch, Set<String> except) throws Exception {
        String compiler = compilerFor(arch);
        assumeTrue(Helper.exists(compiler), "needs " + compiler);
        Map<String, String> types = new TreeMap<>();
        for (Request request : requests(except)) {
            types.put(request.name(), request.type());
        }
        StringBuilder source =
                new StringBuilder("#include <stddef.h>\n#include \"" + HEADER + "\"\nvoid ask(void) {\n");
        for (String name : bindings(except).keySet()) {
            source.append("    asm(\".ascii \\\"VALUE ")
                    .append(name)
                    .append(" = %0\\\"\" :: \"i\"((long long) (")
                    .append(expression(name, types))
                    .append(")));\n");
        }
        Path file = Files.writeString(folder.resolve("ask.c"), source.append("}\n"));
        Path assembly = folder.resolve("ask.s");
        Helper.output(new ProcessBuilder(compiler, "-S", "-o", assembly.toString(), file.toString()));

        Map<String, Long> values = new TreeMap<>();
        Matcher value = Pattern.compile("VALUE (.+) = [$#]?(-?\\d+)\"").matcher(Files.readString(assembly));
        while (value.find()) {
            values.put(value.group(1), narrow(value.group(1), Long.parseLong(value.group(2))));
        }
        return values;
    }

    /** A value as wide as the bindings have it: a flag in the highest bit of an unsigned int is negative there. */
    private static long narrow(String name, long value) throws ReflectiveOperationException {
        boolean isInt = !name.contains(" ") && Linux.class.getMethod(name).getReturnType() == int.class;
        return isInt && value >>> 32 == 0 ? (int) value : value;
    }

    private static String expression(String name, Map<String, String> types) {
        String[] words = name.split("[ .]", 3);
        return switch (words[0]) {
            case "size" ->
                words.length == 2
                        ? "sizeof(" + types.get(words[1]) + ")"
                        : "sizeof(((" + types.get(words[1]) + " *) 0)->" + words[2] + ")";
            case "offset" -> "offsetof(" + types.get(words[1]) + ", " + words[2] + ")";
            default -> name;
        };
    }

    private static void members(String path, GroupLayout layout, long base, Map<String, Long> values) {
        for (MemoryLayout member : layout.memberLayouts()) {
            if (member instanceof PaddingLayout) {
                continue;
            }
            String name = member.name().orElseThrow();
            boolean anonymous = name.contains("$anon$");
            long offset = base + layout.byteOffset(MemoryLayout.PathElement.groupElement(name));
            String memberPath = anonymous ? path : path + "." + name;
            if (!anonymous) {
                values.put("offset " + memberPath, offset);
                // A flexible array has no size of which C could be asked.
                if (member.byteSize() > 0) {
                    values.put("size " + memberPath, member.byteSize());
                }
            }
            if (member instanceof GroupLayout group) {
                members(memberPath, group, offset, values);
            }
        }
    }

    private static long constant(String name) throws ReflectiveOperationException {
        Method constant = Linux.class.getMethod(name);
        return ((Number) constant.invoke(null)).longValue();
    }

    private static GroupLayout layout(String name) throws ReflectiveOperationException {
        Class<?> type = Class.forName(Linux.class.getPackageName() + "." + name);
        return (GroupLayout) type.getMethod("layout").invoke(null);
    }

    private static String compilerFor(Arch arch) {
        return arch == Arch.current() ? "gcc" : arch == Arch.X86_64 ? "x86_64-linux-gnu-gcc" : "aarch64-linux-gnu-gcc";
    }

    private static boolean names(Path file, String reference) {
        try {
            String content = Files.readString(file, StandardCharsets.ISO_8859_1);
            return Pattern.compile(Pattern.quote(reference) + "[^A-Za-z0-9_]")
                    .matcher(content)
                    .find();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<Request> requests(Set<String> except) throws IOException {
        return Files.readAllLines(INCLUDES).stream()
                .filter(line -> line.startsWith("--include-"))
                .map(line -> line.substring("--include-".length()).split(" +"))
                .map(words -> new Request(words[0], words[1]))
                .filter(request -> !except.contains(request.name()))
                .toList();
    }

    /** A line of the list that jextract is given. */
    private record Request(String kind, String name) {
        boolean isFunction() {
            return kind.equals("function");
        }

        boolean isConstant() {
            return kind.equals("constant");
        }

        boolean isType() {
            return Set.of("struct", "union", "typedef").contains(kind);
        }

        String type() {
            return kind.equals("typedef") ? name : kind + " " + name;
        }
    }
}
