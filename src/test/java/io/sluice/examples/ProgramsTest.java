package io.sluice.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The programs are there to be read: each is short, and uses nothing but the library and the JDK. */
class ProgramsTest {
    private static final int MOST_LINES = 250;

    @ParameterizedTest
    @ValueSource(strings = {"HttpTerm", "Proxy", "Broadcast", "FileServer", "ProcessLog"})
    void aProgramIsOneShortFile(String name) throws IOException {
        Path program = Path.of("docs", "examples", name + ".java");
        assertThat(Files.readAllLines(program))
                .hasSizeLessThan(MOST_LINES)
                .filteredOn(line -> line.startsWith("import "))
                .allSatisfy(line -> assertThat(line).containsPattern("import (static )?(java|jdk|io\\.sluice)\\."))
                .noneSatisfy(line -> assertThat(line).contains("io.sluice.internal"));
    }
}
