package io.sluice;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The floor plan: nothing lower knows anything higher, and one package alone speaks to the C library. */
class ArchitectureTest {
    private static final String FLOW = "io.sluice.flow..";
    private static final String SEND = "io.sluice.send..";
    private static final String LOAN = "io.sluice.loan..";
    private static final String ROOT = "io.sluice";
    private static final String INTERNAL = "io.sluice.internal";
    private static final String FFI = "io.sluice.internal.ffi..";

    private static JavaClasses library;

    @BeforeAll
    static void readLibrary() {
        library = new ClassFileImporter().importPath(Path.of("target", "classes"));
    }

    @Test
    void dependenciesPointDownwards() {
        layeredArchitecture()
                .consideringOnlyDependenciesInLayers()
                .withOptionalLayers(true)
                .layer("flow")
                .definedBy(FLOW)
                .layer("send")
                .definedBy(SEND)
                .layer("loan")
                .definedBy(LOAN)
                .layer("root")
                .definedBy(ROOT)
                .layer("internal")
                .definedBy(INTERNAL)
                .layer("ffi")
                .definedBy(FFI)
                .whereLayer("flow")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("send")
                .mayOnlyBeAccessedByLayers("flow")
                .whereLayer("loan")
                .mayOnlyBeAccessedByLayers("flow", "send")
                .whereLayer("root")
                .mayOnlyBeAccessedByLayers("flow", "send", "loan")
                .whereLayer("internal")
                .mayOnlyBeAccessedByLayers("flow", "send", "loan", "root")
                .check(library);
    }

    @Test
    void everyClassHasItsFloor() {
        classes()
                .should()
                .resideInAnyPackage(FLOW, SEND, LOAN, ROOT, INTERNAL, FFI)
                .because("the rule about dependencies sees these packages only")
                .check(library);
    }

    @Test
    void onlyInternalClassesCallTheBindings() {
        noClasses()
                .that()
                .resideOutsideOfPackages(INTERNAL, FFI)
                .should()
                .callMethodWhere(
                        describe("a function of the bindings, which unlike a constant takes arguments", call -> {
                            boolean inBindings =
                                    call.getTargetOwner().getFullName().equals("io.sluice.internal.ffi.Linux");
                            return inBindings
                                    && !call.getTarget().getRawParameterTypes().isEmpty();
                        }))
                .check(library);
    }

    @Test
    void onlyInternalClassesLinkFunctions() {
        noClasses()
                .that()
                .resideOutsideOfPackages(INTERNAL, FFI)
                .should()
                .dependOnClassesThat()
                .belongToAnyOf(Linker.class, SymbolLookup.class)
                .check(library);
    }
}
