package io.sluice.testing;

import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.time.Duration;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.DynamicTestInvocationContext;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.InvocationInterceptor;
import org.junit.platform.commons.support.AnnotationSupport;

/** Fails a test that leaves a descriptor open, and names what the descriptor stands for. */
public class ExpectNoLeaks implements BeforeEachCallback, AfterEachCallback, InvocationInterceptor {
    /** Configuration parameter: milliseconds that another thread may take to close what a test opened. */
    static final String PATIENCE = "io.sluice.leaks.patience";

    private static final long DEFAULT_PATIENCE = 5000;

    private static final Namespace HERE = Namespace.create(ExpectNoLeaks.class);

    /** Put on a test class whose tests must leave no mapping behind either. */
    @Inherited
    @Retention(RetentionPolicy.RUNTIME)
    @Target(ElementType.TYPE)
    public @interface OfMappings {}

    @Override
    public void beforeEach(ExtensionContext test) {
        test.getStore(HERE).put(this, before(test));
    }

    @Override
    public void afterEach(ExtensionContext test) throws Exception {
        test.getStore(HERE).remove(this, Inventory.class).expectNothingLeft(patience(test));
    }

    @Override
    public void interceptDynamicTest(
            Invocation<Void> invocation, DynamicTestInvocationContext context, ExtensionContext test) throws Throwable {
        Inventory before = before(test);
        invocation.proceed();
        before.expectNothingLeft(patience(test));
    }

    private static Duration patience(ExtensionContext test) {
        return Duration.ofMillis(
                test.getConfigurationParameter(PATIENCE, Long::valueOf).orElse(DEFAULT_PATIENCE));
    }

    private static Inventory before(ExtensionContext test) {
        boolean mappings = test.getTestClass()
                .filter(type -> AnnotationSupport.isAnnotated(type, OfMappings.class))
                .isPresent();
        return mappings ? Inventory.ofDescriptorsAndMappings() : Inventory.ofDescriptors();
    }
}
