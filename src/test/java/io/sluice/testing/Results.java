package io.sluice.testing;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.internal.ffi.Linux;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Assertions on "result or −errno" which name the errno that came. */
public final class Results {
    private static final Map<Integer, String> NAMES = Arrays.stream(Linux.class.getMethods())
            .filter(method -> method.getName().matches("E(?!POLL)[A-Z0-9]+") && method.getParameterCount() == 0)
            .collect(Collectors.toMap(Results::value, Method::getName));

    private Results() {}

    /** The result as a number, or the errno's name. */
    public static String shown(long result) {
        return result < 0 ? NAMES.getOrDefault((int) -result, "errno " + -result) : Long.toString(result);
    }

    public static void gives(long expected, long result) {
        assertThat(shown(result)).isEqualTo(shown(expected));
    }

    public static void fails(int errno, long result) {
        assertThat(shown(result)).isEqualTo(shown(-errno));
    }

    public static void failsWithOneOf(int[] errnos, long result) {
        assertThat(shown(result))
                .isIn(IntStream.of(errnos).mapToObj(errno -> shown(-errno)).toArray());
    }

    private static int value(Method constant) {
        try {
            return (int) constant.invoke(null);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(constant.getName(), e);
        }
    }
}
