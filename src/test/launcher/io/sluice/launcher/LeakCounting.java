package io.sluice.launcher;

import io.sluice.testing.ExpectNoLeaks;

/** Puts {@link ExpectNoLeaks} around every test; JUnit finds extensions only where they are not part of a named module. */
public final class LeakCounting extends ExpectNoLeaks {}
