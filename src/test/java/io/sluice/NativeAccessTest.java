package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.channels.DatagramChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Without leave to make native calls, the first thing the library says is which flag gives it. */
class NativeAccessTest {
    private static final int FIRST_WITH_DENY = 24;
    private static final String DENY = "--illegal-native-access=deny";
    private static final List<String> ON_CLASS_PATH = List.of("-cp", Child.CLASSES + ":" + Child.TEST_CLASSES);
    private static final List<String> ON_MODULE_PATH = List.of(
            "--module-path",
            Child.CLASSES,
            "--patch-module",
            "io.sluice=" + Child.TEST_CLASSES,
            "--add-modules",
            "io.sluice");

    @BeforeAll
    static void nativeAccessCanBeDenied() {
        assumeTrue(
                Runtime.version().feature() >= FIRST_WITH_DENY,
                () -> "JDK " + Runtime.version().feature() + " knows no " + DENY + ", which came with "
                        + FIRST_WITH_DENY);
    }

    /** Each way into the library. */
    enum Entry {
        PIPE {
            @Override
            AutoCloseable enter() throws IOException {
                return Pipe.open();
            }
        },
        FILE {
            @Override
            AutoCloseable enter() throws IOException {
                return Fd.open(Path.of("/dev/null"));
            }
        },
        NUMBER {
            @Override
            AutoCloseable enter() throws IOException {
                return Fd.borrow(0);
            }
        },
        CHANNEL {
            @Override
            AutoCloseable enter() throws IOException {
                try (DatagramChannel channel = DatagramChannel.open()) {
                    return Fd.of(channel);
                }
            }
        },
        KERNEL {
            @Override
            AutoCloseable enter() {
                Kernel.observed();
                return () -> {};
            }
        };

        abstract AutoCloseable enter() throws IOException;
    }

    /** Enters the library in every way, twice each, and prints what it gets. */
    static final class Enter {
        private Enter() {}

        public static void main(String[] args) throws Exception {
            for (Entry entry : Entry.values()) {
                for (int i = 0; i < 2; i++) {
                    try (AutoCloseable entered = entry.enter()) {
                        System.out.println(entry + ": entered " + (entered != null));
                    } catch (IllegalCallerException e) {
                        System.out.println(entry + ": " + e.getMessage());
                    }
                }
            }
        }
    }

    @Test
    void onTheClassPathTheFlagNamesAllUnnamed() throws Exception {
        assertThat(denied(ON_CLASS_PATH, "io.sluice.NativeAccessTest$Enter"))
                .hasSize(2 * Entry.values().length)
                .allMatch(line -> line.contains("--enable-native-access=ALL-UNNAMED ("), "names the flag");
    }

    @Test
    void onTheModulePathTheFlagNamesTheModule() throws Exception {
        assertThat(denied(ON_MODULE_PATH, "-m", "io.sluice/io.sluice.NativeAccessTest$Enter"))
                .hasSize(2 * Entry.values().length)
                .allMatch(line -> line.contains("--enable-native-access=io.sluice ("), "names the flag");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ALL-UNNAMED", "io.sluice"})
    void theFlagThatIsNamedIsEnough(String flag) throws Exception {
        boolean named = flag.equals("io.sluice");
        List<String> how = named ? ON_MODULE_PATH : ON_CLASS_PATH;
        List<String> options = new ArrayList<>(how);
        options.add("--enable-native-access=" + flag);
        List<String> main = named
                ? List.of("-m", "io.sluice/io.sluice.NativeAccessTest$Enter")
                : List.of("io.sluice.NativeAccessTest$Enter");
        assertThat(denied(options, main.toArray(String[]::new)))
                .hasSize(2 * Entry.values().length)
                .allMatch(line -> line.endsWith("entered true"));
    }

    private static List<String> denied(List<String> options, String... main) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(Child.brisk());
        command.add(DENY);
        command.addAll(options);
        command.addAll(List.of(main));
        Child child = Child.run(command);
        assertThat(child.status()).as(child.said()).isZero();
        return child.said().lines().toList();
    }
}
