/**
 * The pipe and its two ends, the descriptors that bytes are moved from and to, and what the running kernel can do.
 *
 * <p>A {@code Pipe} is a buffer of pages in the kernel. Bytes get into it through its {@code PipeSink} and out of it through
 * its {@code PipeSource}, from and to any {@code Fd}, without passing through the Java heap.
 */
package io.sluice;
