package io.sluice.flow;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** One response, from its beginning until it was sent or given up. */
@Name("io.sluice.MasterPipe")
@Label("Master Pipe Response")
@Description("A response sent from a master pipe")
@Category("Sluice")
@StackTrace(false)
final class MasterPipeEvent extends Event {
    @Label("Target")
    @Nullable
    String target;

    @Label("Length")
    @Description("What the response has, with its head")
    @DataAmount
    long length;

    @Label("Spliced")
    @Description("What was sent by reference")
    @DataAmount
    long spliced;

    @Label("Written")
    @Description("What was sent from memory")
    @DataAmount
    long written;

    @Label("Waits")
    @Description("How often the socket was full")
    long waits;
}
