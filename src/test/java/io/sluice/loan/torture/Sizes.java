package io.sluice.loan.torture;

import io.sluice.testing.Workbench;
import java.util.SplittableRandom;

/** How much is moved at a time: nothing in particular, and everything around a page. */
final class Sizes {
    private Sizes() {}

    /** 1 to about 256 KiB. */
    static int some(SplittableRandom random) {
        return switch (random.nextInt(8)) {
            case 0 -> 1 + random.nextInt(16);
            case 1 -> 1 + random.nextInt(Workbench.PAGE);
            case 2 -> Workbench.PAGE * (1 + random.nextInt(16));
            case 3 -> Workbench.PAGE * (1 + random.nextInt(16)) + random.nextInt(3) - 1;
            case 4, 5, 6 -> 1 + random.nextInt(64 << 10);
            default -> 1 + random.nextInt(256 << 10);
        };
    }

    /** 1 byte to a few pages: a header. */
    static int small(SplittableRandom random) {
        return 1 + random.nextInt(1 << random.nextInt(1, 14));
    }
}
