/**
 * Whole jobs: what programs do with pipes, made of the verbs of {@link io.sluice} and the pages of {@link io.sluice.loan}.
 *
 * <p>A job that fills a pipe and drains it does both by turns, so that it never waits for itself. What it has read and could not deliver is
 * never lost: the job's result or its exception says where it is.
 */
package io.sluice.flow;
