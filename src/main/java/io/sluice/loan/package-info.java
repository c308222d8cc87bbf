/**
 * Lifetimes: memory that is lent to the kernel is closed to Java, and comes back only with proof that the kernel has let go of it.
 *
 * <p>{@code vmsplice} puts a program's own pages into a pipe. Until they are let go of, whoever writes to them changes what the reader will
 * see. Here the rule is a lifetime: a segment from a {@link PageArena} that is lent can no longer be reached, and the {@link Loan} says when
 * and how its pages can be had again. {@link PageRing} does this in a circle for a writer, {@link FrozenPages} avoids the question with
 * pages that never change.
 */
package io.sluice.loan;
