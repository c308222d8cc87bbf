package io.sluice.flow;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

@Name("io.sluice.Gather")
@Label("Gathering")
@Category("Sluice")
@Description("Parts of different kinds delivered to one sink as one stream")
@StackTrace(false)
final class GatherEvent extends Event {
    @Label("Sink")
    String sink = "";

    @Label("Parts")
    int parts;

    @Label("Length")
    @Description("What all parts have together")
    @DataAmount
    long length;

    @Label("Delivered")
    @DataAmount
    long delivered;
}
