package io.sluice.internal;

import io.sluice.internal.ffi.Linux;
import java.util.Map;

/** Names and words for error numbers. */
public final class Errno {
    private static final Map<Integer, String> NAMES = Map.ofEntries(
            Map.entry(Linux.EPERM(), "EPERM"),
            Map.entry(Linux.ENOENT(), "ENOENT"),
            Map.entry(Linux.EINTR(), "EINTR"),
            Map.entry(Linux.EIO(), "EIO"),
            Map.entry(Linux.ENXIO(), "ENXIO"),
            Map.entry(Linux.EBADF(), "EBADF"),
            Map.entry(Linux.EAGAIN(), "EAGAIN"),
            Map.entry(Linux.ENOMEM(), "ENOMEM"),
            Map.entry(Linux.EACCES(), "EACCES"),
            Map.entry(Linux.EFAULT(), "EFAULT"),
            Map.entry(Linux.EBUSY(), "EBUSY"),
            Map.entry(Linux.EEXIST(), "EEXIST"),
            Map.entry(Linux.ENODEV(), "ENODEV"),
            Map.entry(Linux.ENOTDIR(), "ENOTDIR"),
            Map.entry(Linux.EISDIR(), "EISDIR"),
            Map.entry(Linux.EINVAL(), "EINVAL"),
            Map.entry(Linux.ENFILE(), "ENFILE"),
            Map.entry(Linux.EMFILE(), "EMFILE"),
            Map.entry(Linux.ENOTTY(), "ENOTTY"),
            Map.entry(Linux.ETXTBSY(), "ETXTBSY"),
            Map.entry(Linux.EFBIG(), "EFBIG"),
            Map.entry(Linux.ENOSPC(), "ENOSPC"),
            Map.entry(Linux.ESPIPE(), "ESPIPE"),
            Map.entry(Linux.EROFS(), "EROFS"),
            Map.entry(Linux.EPIPE(), "EPIPE"),
            Map.entry(Linux.ENAMETOOLONG(), "ENAMETOOLONG"),
            Map.entry(Linux.ENOSYS(), "ENOSYS"),
            Map.entry(Linux.ELOOP(), "ELOOP"),
            Map.entry(Linux.EOVERFLOW(), "EOVERFLOW"),
            Map.entry(Linux.ENOTSOCK(), "ENOTSOCK"),
            Map.entry(Linux.EDESTADDRREQ(), "EDESTADDRREQ"),
            Map.entry(Linux.EMSGSIZE(), "EMSGSIZE"),
            Map.entry(Linux.EOPNOTSUPP(), "EOPNOTSUPP"),
            Map.entry(Linux.EADDRINUSE(), "EADDRINUSE"),
            Map.entry(Linux.EADDRNOTAVAIL(), "EADDRNOTAVAIL"),
            Map.entry(Linux.ENETDOWN(), "ENETDOWN"),
            Map.entry(Linux.ENETUNREACH(), "ENETUNREACH"),
            Map.entry(Linux.ECONNABORTED(), "ECONNABORTED"),
            Map.entry(Linux.ECONNRESET(), "ECONNRESET"),
            Map.entry(Linux.ENOBUFS(), "ENOBUFS"),
            Map.entry(Linux.EISCONN(), "EISCONN"),
            Map.entry(Linux.ENOTCONN(), "ENOTCONN"),
            Map.entry(Linux.ESHUTDOWN(), "ESHUTDOWN"),
            Map.entry(Linux.ETIMEDOUT(), "ETIMEDOUT"),
            Map.entry(Linux.ECONNREFUSED(), "ECONNREFUSED"),
            Map.entry(Linux.EHOSTUNREACH(), "EHOSTUNREACH"),
            Map.entry(Linux.EALREADY(), "EALREADY"),
            Map.entry(Linux.EINPROGRESS(), "EINPROGRESS"),
            Map.entry(Linux.EDQUOT(), "EDQUOT"),
            Map.entry(Linux.ECANCELED(), "ECANCELED"));

    private Errno() {}

    /** The symbolic name, such as {@code EINVAL}; {@code errno 999} for one without. */
    public static String name(int errno) {
        return NAMES.getOrDefault(errno, "errno " + errno);
    }

    /** Name and the C library's words, such as {@code EINVAL (Invalid argument)}. */
    public static String describe(int errno) {
        return name(errno) + " (" + Linux.strerror(errno).getString(0) + ")";
    }
}
