package io.sluice.flow;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A relay, from when it was made until it ended. */
@Name("io.sluice.Relay")
@Label("Relay")
@Category("Sluice")
@Description("Bytes moved from one stream to another, or both ways between two")
@StackTrace(false)
final class RelayEvent extends Event {
    @Label("First")
    String first = "";

    @Label("Second")
    String second = "";

    @Label("Both Ways")
    boolean bothWays;

    @Label("Delivered Forth")
    @DataAmount
    long deliveredForth;

    @Label("Delivered Back")
    @DataAmount
    long deliveredBack;

    @Label("Undelivered")
    @DataAmount
    long undelivered;

    @Label("Copies")
    @Description("Whether splice was refused and the bytes were copied")
    boolean copies;

    @Label("Outcome")
    @Description("DONE, CLOSED or the reason of the failure")
    String outcome = "";
}
