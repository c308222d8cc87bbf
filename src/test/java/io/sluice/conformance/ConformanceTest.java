package io.sluice.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.ExtendWith;

/** Runs the table of what the kernel does, row by row, against the kernel it is run on. */
@ExtendWith(ExpectNoLeaks.class)
class ConformanceTest {
    private static final List<Family> FAMILIES = List.of(
            new SpliceArgumentsConformance(),
            new SpliceFilesConformance(),
            new SpliceStreamsConformance(),
            new SpliceJobsConformance(),
            new TeeConformance(),
            new VmspliceConformance(),
            new PipeConformance(),
            new FcntlConformance(),
            new IoctlPollConformance(),
            new SendfileConformance(),
            new MemfdConformance(),
            new PageLifetimeConformance(),
            new ForwardedLifetimeConformance(),
            new FileLifetimeConformance(),
            new ProcessLifetimeConformance(),
            new WaitingConformance(),
            new WholeJobsConformance(),
            new UringConformance(),
            new InetSendConformance(),
            new ZeroCopyConformance());

    /** A row by its id, and how it is shown. */
    private static final Map<String, String> TABLE = table();

    @TestFactory
    Stream<DynamicNode> rows() {
        return FAMILIES.stream()
                .map(family -> dynamicContainer(
                        family.getClass().getSimpleName(),
                        methods(family).flatMap(method -> ids(method).map(id -> row(id, family, method)))));
    }

    @Test
    void everyRowIsRunOnce() {
        List<String> run = FAMILIES.stream()
                .flatMap(ConformanceTest::methods)
                .flatMap(ConformanceTest::ids)
                .toList();
        assertThat(run).doesNotHaveDuplicates().containsExactlyInAnyOrderElementsOf(TABLE.keySet());
    }

    private static DynamicTest row(String id, Family family, Method method) {
        return dynamicTest(TABLE.getOrDefault(id, id), () -> {
            try (Workbench bench = new Workbench()) {
                method.invoke(family, bench);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        });
    }

    private static Stream<Method> methods(Family family) {
        return Arrays.stream(family.getClass().getDeclaredMethods())
                .filter(method -> method.isAnnotationPresent(Row.class))
                .sorted((a, b) -> a.getName().compareTo(b.getName()));
    }

    private static Stream<String> ids(Method method) {
        return Arrays.stream(method.getAnnotation(Row.class).value());
    }

    private static Map<String, String> table() {
        try (InputStream resource = ConformanceTest.class.getResourceAsStream("/io/sluice/conformance.tsv")) {
            List<String> lines = new ArrayList<>(new String(resource.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .toList());
            assertThat(lines.removeFirst()).startsWith("id\tsource\tcall\tsetup\t");
            Map<String, String> shown = new LinkedHashMap<>();
            for (String line : lines) {
                String[] columns = line.split("\t", -1);
                String setup = columns[3].isEmpty() ? columns[4] : columns[3];
                assertThat(shown.put(columns[0], columns[0] + ": " + columns[2] + " — " + setup))
                        .isNull();
            }
            return shown;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
