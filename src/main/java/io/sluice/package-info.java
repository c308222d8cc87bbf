/**
 * The pipe and its two ends, the descriptors that bytes are moved from and to, and what the running kernel can do.
 *
 * <p>A {@link Pipe} is a buffer of pages in the kernel. Bytes get into it through its {@link PipeSink} and out of it through
 * its {@link PipeSource}, from and to any {@link Fd}, without passing through the Java heap.
 */
package io.sluice;
