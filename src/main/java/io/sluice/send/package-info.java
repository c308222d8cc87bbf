/**
 * Sends over a socket that say when they are done: the memory of a {@link io.sluice.loan.PageArena} is lent to the kernel and comes back with
 * the kernel's own notification.
 *
 * <p>A page that went through a pipe into a socket is gone for good, because nothing says when the socket lets go of it. {@code
 * MSG_ZEROCOPY} and io_uring do say so. A {@link io.sluice.send.Sender} gives both the face of a pipe: the same {@link io.sluice.loan.Loan},
 * released when the kernel reports that it is done.
 */
package io.sluice.send;
