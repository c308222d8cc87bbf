package io.sluice.bench;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** What follows the name of a comparison on the command line: {@code --rounds 7}, or {@code --fill} alone, and the like. */
record Options(Map<String, String> values) {
    /** Of all arguments, the first of which is the comparison's name. */
    static Options of(String[] args, String... known) {
        Map<String, String> values = new HashMap<>();
        for (int i = 1; i < args.length; i++) {
            if (!List.of(known).contains(args[i])) {
                throw new IllegalArgumentException(
                        "%s is followed by %s, not by %s".formatted(args[0], String.join(", ", known), args[i]));
            }
            boolean alone = i + 1 == args.length || args[i + 1].startsWith("--");
            values.put(args[i], alone ? "" : args[i + 1]);
            i += alone ? 0 : 1;
        }
        return new Options(values);
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    /** What a comparison is called that leaves something out where one of these is given: the report takes whole ones alone. */
    String named(String whole, String... leavingOut) {
        return Stream.of(leavingOut).anyMatch(this::has) ? whole + "-part" : whole;
    }

    int number(String name, int usual) {
        String text = text(name, Integer.toString(usual));
        try {
            return Integer.parseInt(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(name + " takes a number, not '" + text + "'", e);
        }
    }

    String text(String name, String usual) {
        return values.getOrDefault(name, usual);
    }
}
