package io.sluice.flow;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** One run of a {@link Transfer}. */
@Name("io.sluice.Transfer")
@Label("Transfer")
@Description("Bytes moved from one descriptor to another")
@Category("Sluice")
@StackTrace(false)
final class TransferEvent extends Event {
    @Label("Source")
    @Nullable
    String source;

    @Label("Target")
    @Nullable
    String target;

    @Label("Delivered")
    @DataAmount
    long delivered;

    @Label("Engine")
    @Nullable
    String engine;

    @Label("Failure")
    @Description("The message of the exception, if it failed")
    @Nullable
    String failure;

    void tell(Object from, Object to, long bytes, Transfer.Engine by, @Nullable String failed) {
        source = from.toString();
        target = to.toString();
        delivered = bytes;
        engine = by.name();
        failure = failed;
        commit();
    }
}
