package io.sluice;

/** Prints what the running kernel was seen to do: {@code java -jar sluice.jar}. */
final class KernelReport {
    private KernelReport() {}

    public static void main(String[] arguments) {
        try {
            System.out.print(Kernel.observed().report());
        } catch (IllegalCallerException | UnsupportedOperationException e) {
            System.err.println(e.getMessage());
            System.exit(1);
        }
    }
}
