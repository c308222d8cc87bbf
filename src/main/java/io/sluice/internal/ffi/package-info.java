/**
 * What jextract generated from {@code jextract/linux.h} on Linux x86-64; never edited.
 *
 * <p>{@code jextract/regenerate} writes this package and {@code jextract/regenerate --check} compares it. The command, run in the
 * project's top folder:
 *
 * <pre>{@literal
 * jextract --output src/main/java --target-package io.sluice.internal.ffi --header-class-name Linux @jextract/linux.includes jextract/linux.h
 * }</pre>
 */
package io.sluice.internal.ffi;
