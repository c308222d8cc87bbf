package io.sluice.loan;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.testing.ExpectNoLeaks;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Ways of breaking the one rule, that lent memory is not rewritten before it is let go of, and what becomes of each: an exception, or data
 * that arrives as it was lent.
 */
@ExpectNoLeaks.OfMappings
class MisuseTest {
    private static final List<Class<?>> FAMILIES = List.of(
            MisuseOfAliases.class,
            MisuseOfMemory.class,
            MisuseByReaders.class,
            MisuseByFiles.class,
            MisuseByStrangers.class,
            MisuseOfTime.class,
            MisuseWhileLending.class,
            MisuseWithSenders.class);

    @TestFactory
    Stream<DynamicTest> table() {
        return rows().flatMap(row -> families(row)
                .map(family -> DynamicTest.dynamicTest(
                        row.getAnnotation(Misuse.class).value() + " → "
                                + row.getAnnotation(Misuse.class).outcome() + words(family),
                        () -> run(row, family))));
    }

    @Test
    void everyRowIsADifferentWay() {
        assertThat(rows().map(row -> row.getAnnotation(Misuse.class).value()))
                .doesNotHaveDuplicates()
                .hasSizeGreaterThanOrEqualTo(25);
    }

    private static Stream<Method> rows() {
        return FAMILIES.stream()
                .flatMap(family -> Stream.of(family.getDeclaredMethods())
                        .filter(method -> method.isAnnotationPresent(Misuse.class))
                        .sorted(Comparator.comparing(Method::getName)));
    }

    /** What is done with a sender is done with one of each kind. */
    private static Stream<Object> families(Method row) {
        if (row.getDeclaringClass() == MisuseWithSenders.class) {
            return Stream.of(Loan.Method.MSG_ZEROCOPY, Loan.Method.SEND_ZC).map(MisuseWithSenders::new);
        }
        try {
            return Stream.of(row.getDeclaringClass().getDeclaredConstructor().newInstance());
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    private static String words(Object family) {
        return family instanceof MisuseWithSenders senders ? " (" + senders.method + ")" : "";
    }

    private static void run(Method row, Object family) throws Throwable {
        try (Scene scene = new Scene()) {
            row.invoke(family, scene);
        } catch (InvocationTargetException e) {
            throw e.getCause() instanceof OutOfMemoryError error ? new AssertionError(error) : e.getCause();
        }
    }
}
