package io.sluice.loan;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** A row of {@link MisuseTest}: a method that breaks the rule on a {@link Scene} of its own, and shows what comes of it. */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.METHOD)
@interface Misuse {
    /** What is done. */
    String value();

    /** What happens: an exception, or data that is safe. */
    String outcome();
}
