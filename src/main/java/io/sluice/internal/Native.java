package io.sluice.internal;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/** Whether native calls can be made here, and the one way in which they are linked. */
public final class Native {
    private static final @Nullable String DENIED = denial();
    private static final @Nullable String UNSUPPORTED = DENIED == null ? unsupported() : null;

    private Native() {}

    /**
     * Throws what keeps this process from making native calls, with the flag that cures it.
     *
     * @throws UnsupportedOperationException if this is not Linux on x86-64 or arm64
     * @throws IllegalCallerException if native access is not enabled for this library's module
     */
    public static void require() {
        if (DENIED != null) {
            throw new IllegalCallerException(DENIED);
        } else if (UNSUPPORTED != null) {
            throw new UnsupportedOperationException(UNSUPPORTED);
        }
    }

    private static @Nullable String denial() {
        try {
            Linker.nativeLinker().downcallHandle(FunctionDescriptor.ofVoid());
            return null;
        } catch (UnsupportedOperationException e) {
            return null; // no linker for this platform, so it is not one of ours
        } catch (IllegalCallerException e) {
            Module module = Native.class.getModule();
            String name = module.isNamed() ? module.getName() : "ALL-UNNAMED";
            return "Sluice makes native calls and the JVM was told not to let it; start java with --enable-native-access="
                    + name + " (or add the name to the list already given there)";
        }
    }

    // The bindings make restricted calls of their own, so they are not touched before native access was found granted.
    private static @Nullable String unsupported() {
        String system = System.getProperty("os.name");
        return system.equals("Linux") && Arch.CURRENT != null
                ? null
                : "Sluice calls Linux on x86-64 or arm64, in a 64-bit JVM; this is " + system + " on "
                        + System.getProperty("os.arch");
    }

    /** Links a generated address and descriptor with errno captured; segments are passed as segments, and so kept alive. */
    static MethodHandle link(MemorySegment function, FunctionDescriptor descriptor) {
        return Linker.nativeLinker().downcallHandle(function, descriptor, Linker.Option.captureCallState("errno"));
    }

    /** As {@link #link}, with every pointer argument passed as a bare address: for scratch memory, which outlives any call. */
    static MethodHandle linkRaw(MemorySegment function, FunctionDescriptor descriptor) {
        return link(function, raw(descriptor));
    }

    /** Links a variadic function for one fixed list of arguments, of which {@code named} are declared. */
    static MethodHandle linkVariadic(
            MemorySegment function, int named, MemoryLayout result, MemoryLayout... arguments) {
        return Linker.nativeLinker()
                .downcallHandle(
                        function,
                        raw(FunctionDescriptor.of(result, arguments)),
                        Linker.Option.firstVariadicArg(named),
                        Linker.Option.captureCallState("errno"));
    }

    private static FunctionDescriptor raw(FunctionDescriptor descriptor) {
        MemoryLayout[] arguments =
                descriptor.argumentLayouts().stream().map(Native::raw).toArray(MemoryLayout[]::new);
        return descriptor
                .returnLayout()
                .map(result -> FunctionDescriptor.of(raw(result), arguments))
                .orElseGet(() -> FunctionDescriptor.ofVoid(arguments));
    }

    // A pointer and a 64-bit integer travel in the same registers on both architectures.
    private static MemoryLayout raw(MemoryLayout layout) {
        return layout instanceof AddressLayout && ADDRESS.byteSize() == Long.BYTES ? JAVA_LONG : layout;
    }

    /** For {@code catch (Throwable)} around a downcall: lets what may be thrown pass, and names the rest impossible. */
    static RuntimeException unexpected(Throwable thrown) {
        if (thrown instanceof RuntimeException e) {
            return e;
        }
        if (thrown instanceof Error e) {
            throw e;
        }
        return new IllegalStateException("a native call threw a checked exception", thrown);
    }
}
