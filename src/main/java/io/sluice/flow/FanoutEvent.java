package io.sluice.flow;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

@Name("io.sluice.Fanout")
@Label("Fan-out")
@Category("Sluice")
@Description("One source copied to several sinks, from the first byte to the last")
@StackTrace(false)
final class FanoutEvent extends Event {
    @Label("Source")
    String source = "";

    @Label("Delivered")
    @Description("What the primary took")
    @DataAmount
    long delivered;

    @Label("Undelivered")
    @Description("What was read and the primary did not take")
    @DataAmount
    long undelivered;

    @Label("Spilled")
    @Description("What went through spill files, of all branches")
    @DataAmount
    long spilled;

    @Label("Branches")
    @Description("All that ever took part, without the primary")
    int branches;

    @Label("Branches Lost")
    @Description("Those that failed, were dropped or were stopped")
    int lost;

    void account(Branch branch) {
        branches++;
        spilled += branch.spilled();
        lost += switch (branch.state()) {
            case FAILED, DROPPED, STOPPED -> 1;
            case RUNNING, DONE, REMOVED -> 0;
        };
    }
}
