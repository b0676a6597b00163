package dev.halftone.kernel;

import dev.halftone.InputException;
import dev.halftone.quant.AmaxGrid;
import dev.halftone.quant.ChainedGrid;
import dev.halftone.quant.CompressedIntGrid;
import dev.halftone.quant.GgufGrid;
import dev.halftone.quant.Grid;
import dev.halftone.quant.InputScale;
import dev.halftone.quant.Int4Grid;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.LearnedGrid;
import dev.halftone.quant.MxGrid;
import dev.halftone.quant.Nvfp4Grid;
import dev.halftone.quant.Nvfp4Oracle;
import dev.halftone.quant.Q8Grid;
import dev.halftone.quant.StaticGrid;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The implementations of the quantization arithmetic. They agree bit for bit; they differ in speed and in where
/// they run.
public enum Kernels {
    /// The scalar oracle over copies of the values: slow, for tests and for `conformance`.
    REFERENCE,
    /// The JDK's vector unit on a tensor's own memory, on all threads: CPU tensors only.
    VECTOR,
    /// libtorch's operators: any device.
    ATEN;

    /// What was chosen, and why, for a log or a report.
    public record Choice(Kernels kernels, String reason) {}

    private static final boolean VECTOR_API =
            ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();

    /// Whether this JVM was started with the Vector API.
    public static boolean vectors() {
        return VECTOR_API;
    }

    /// The fastest implementation for tensors such as `t`: VECTOR on a CPU, ATEN elsewhere.
    public static Choice choose(Tensor t) {
        if (!t.is_cpu()) {
            return new Choice(ATEN, "the tensors are not on the CPU");
        }
        if (!VECTOR_API) {
            return new Choice(ATEN, "this JVM was started without --add-modules jdk.incubator.vector");
        }
        return new Choice(VECTOR, "the tensors are on the CPU");
    }

    /// The arithmetic of `grid` in the implementation asked for; where none was, in the one that [#choose] finds.
    public static GridKernel of(@Nullable Kernels asked, Grid grid, Tensor t) {
        return (asked == null ? choose(t).kernels() : asked).of(grid);
    }

    /// The arithmetic of `grid` in this implementation.
    ///
    /// @throws InputException if this JVM cannot run it
    public GridKernel of(Grid grid) {
        if (this == VECTOR && !VECTOR_API) {
            throw new InputException("kernels=vector needs the JDK's Vector API."
                    + " Start Java with --add-modules jdk.incubator.vector, or use kernels=aten.");
        }
        return switch (this) {
            case REFERENCE -> reference(grid);
            case VECTOR -> vector(grid);
            case ATEN -> aten(grid);
        };
    }

    private static GridKernel reference(Grid grid) {
        return switch (grid) {
            case IntxGrid g -> new ReferenceIntx(g);
            case LearnedGrid g -> new ReferenceLearned(g);
            case GgufGrid g -> new ReferenceKernel(g);
            case Q8Grid g -> new ReferenceKernel(g);
            case MxGrid g -> new ReferenceKernel(g);
            case Nvfp4Grid g -> new ReferenceKernel(g);
            case Int4Grid g -> new ReferenceKernel(g);
            case CompressedIntGrid g -> new ReferenceKernel(g);
            case AmaxGrid g -> new ReferenceKernel(g);
            case ChainedGrid g -> ChainedKernel.of(REFERENCE, g);
            case StaticGrid g -> new ReferenceKernel(g);
        };
    }

    private static GridKernel vector(Grid grid) {
        return switch (grid) {
            case IntxGrid g -> new NotedKernel(new IntxVectors(g, null));
            case LearnedGrid g -> new VectorLearned(g);
            case GgufGrid g -> new VectorKernel(g, _ -> new GgufVectors(g));
            case Q8Grid g -> new VectorKernel(g, _ -> new Q8Vectors(g));
            case MxGrid g -> new VectorKernel(g, _ -> new MxVectors(g));
            case Nvfp4Grid g ->
                new VectorKernel(g, x -> new Nvfp4Vectors(g, Nvfp4Oracle.tensorScale(VectorKernel.amax(x), g)));
            case Int4Grid g ->
                g.scaleGradient() ? new VectorKernel(g, _ -> new Int4Vectors(g)) : new NotedKernel(new Int4Vectors(g));
            case CompressedIntGrid g -> new VectorKernel(g, _ -> new CompressedIntVectors(g, null));
            case AmaxGrid g -> new VectorAmax(g);
            case ChainedGrid g -> ChainedKernel.of(VECTOR, g);
            case StaticGrid g -> {
                VectorBlocks blocks = blocks(g);
                yield new VectorKernel(g, _ -> blocks);
            }
        };
    }

    private static VectorBlocks blocks(StaticGrid grid) {
        InputScale s = grid.scale();
        return switch (grid.numbers()) {
            case IntxGrid g -> new IntxVectors(g, s.block(g));
            case CompressedIntGrid g -> new CompressedIntVectors(g, s.block(g));
            case AmaxGrid g -> new AmaxVectors(g, s.block(g));
            default -> throw unknown(grid);
        };
    }

    private static GridKernel aten(Grid grid) {
        return switch (grid) {
            case IntxGrid g -> new AtenIntx(g, null);
            case LearnedGrid g -> new AtenLearned(g);
            case GgufGrid g -> new AtenGguf(g);
            case Q8Grid g -> new AtenQ8(g);
            case MxGrid g -> new AtenMx(g);
            case Nvfp4Grid g -> new AtenNvfp4(g);
            case Int4Grid g -> new AtenInt4(g);
            case CompressedIntGrid g -> new AtenCompressedInt(g, null);
            case AmaxGrid g -> new AtenAmax(g, null);
            case ChainedGrid g -> ChainedKernel.of(ATEN, g);
            case StaticGrid g -> atenStatic(g);
        };
    }

    private static GridKernel atenStatic(StaticGrid grid) {
        InputScale s = grid.scale();
        return switch (grid.numbers()) {
            case IntxGrid g -> new AtenIntx(g, s.block(g));
            case CompressedIntGrid g -> new AtenCompressedInt(g, s.block(g));
            case AmaxGrid g -> new AtenAmax(g, s.block(g));
            default -> throw unknown(grid);
        };
    }

    private static IllegalStateException unknown(StaticGrid grid) {
        return new IllegalStateException("StaticGrid admits no " + grid.numbers());
    }
}
