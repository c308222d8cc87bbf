import org.jspecify.annotations.NullMarked;

/**
 * Linux pipes as page buffers: splice, tee and vmsplice, with lent memory that cannot be rewritten too early.
 *
 * <p>The module calls the C library, so a program that uses it is started with {@code --enable-native-access=io.sluice}, or
 * {@code =ALL-UNNAMED} where the library is on the class path.
 */
@NullMarked
module io.sluice {
    requires jdk.jfr;
    requires jdk.net;
    requires static org.jspecify;

    exports io.sluice;
    exports io.sluice.flow;
    exports io.sluice.loan;
    exports io.sluice.send;
}
