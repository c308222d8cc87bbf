package io.sluice.bench;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What follows the name of a comparison on the command line: {@code --rounds 7} and the like. */
record Options(Map<String, String> values) {
    /** Of all arguments, the first of which is the comparison's name. */
    static Options of(String[] args, String... known) {
        Map<String, String> values = new HashMap<>();
        for (int i = 1; i < args.length; i += 2) {
            if (!List.of(known).contains(args[i]) || i + 1 == args.length) {
                throw new IllegalArgumentException(
                        "%s is followed by %s, each with its value".formatted(args[0], Arrays.toString(known)));
            }
            values.put(args[i], args[i + 1]);
        }
        return new Options(values);
    }

    /** What a comparison is called that leaves something out where this option is given: the report takes whole ones alone. */
    String named(String whole, String leavingOut) {
        return values.containsKey(leavingOut) ? whole + "-part" : whole;
    }

    int number(String name, int usual) {
        return Integer.parseInt(text(name, Integer.toString(usual)));
    }

    String text(String name, String usual) {
        return values.getOrDefault(name, usual);
    }
}
