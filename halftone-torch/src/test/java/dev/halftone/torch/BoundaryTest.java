package dev.halftone.torch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import java.util.List;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class BoundaryTest {
    @Test
    void valuesSurviveTheWayInAndOut() {
        try (Scope _ = Scope.open()) {
            Tensor t = Torch.of(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
            assertThat(Torch.shape(t)).containsExactly(2, 3);
            assertThat(Torch.dtype(t)).isEqualTo(DType.F32);
            assertThat(Torch.floats(t.transpose(0, 1))).containsExactly(1, 4, 2, 5, 3, 6);
            assertThat(Torch.longs(Torch.of(new int[] {7, -1}, 2))).containsExactly(7, -1);
        }
    }

    @Test
    void backwardComputesTheGradientOfALinearLayer() {
        try (Scope _ = Scope.open()) {
            Tensor w = Torch.of(new float[] {1, 2, 3, 4}, 2, 2).requires_grad_(true);
            Tensor x = Torch.of(new float[] {10, 20}, 1, 2);
            Ops.linear(x, w, null).sum().backward();
            assertThat(Torch.floats(w.grad())).containsExactly(10, 20, 10, 20);
        }
    }

    @Test
    void aScopeFreesWhatItDoesNotKeep() {
        Tensor kept;
        Tensor dropped;
        try (Scope _ = Scope.open()) {
            try (Scope inner = Scope.open()) {
                dropped = Torch.zeros(DType.F32, 4);
                kept = inner.keep(Torch.zeros(DType.F32, 4));
            }
            assertThat(dropped.isNull()).isTrue();
            assertThat(kept.isNull()).isFalse();
        }
        assertThat(kept.isNull()).isTrue();
    }

    @Test
    void nativeMemoryStaysFlatOverManyScopes() {
        long before = 0;
        for (int i = 0; i < 60; i++) {
            try (Scope _ = Scope.open()) {
                Tensor t = Torch.zeros(DType.F32, 1 << 20).requires_grad_(true);
                Ops.mul(t, 2.0).sum().backward();
            }
            if (i == 10) {
                before = Pointer.physicalBytes();
            }
        }
        assertThat(Pointer.physicalBytes() - before).isLessThan(64L << 20);
    }

    @Test
    void noGradRecordsNothingAndEnds() {
        try (Scope _ = Scope.open()) {
            Tensor w = Torch.zeros(DType.F32, 2).requires_grad_(true);
            try (NoGrad _ = NoGrad.open()) {
                assertThat(Ops.mul(w, 2.0).requires_grad()).isFalse();
            }
            assertThat(Ops.mul(w, 2.0).requires_grad()).isTrue();
        }
    }

    @Test
    void dispatchTakesTensorLists() {
        try (Scope _ = Scope.open()) {
            Tensor p = Torch.of(new float[] {1}, 1);
            Tensor g = Torch.of(new float[] {0.5f}, 1);
            Tensor m = Torch.zeros(DType.F32, 1);
            Tensor v = Torch.zeros(DType.F32, 1);
            Tensor step = Torch.of(new float[] {1}, 1).squeeze();
            Dispatch.call(
                    "_fused_adamw_",
                    "",
                    List.of(p),
                    List.of(g),
                    List.of(m),
                    List.of(v),
                    List.of(),
                    List.of(step),
                    0.1,
                    0.9,
                    0.999,
                    0.0,
                    1e-8,
                    false,
                    false,
                    null,
                    null);
            assertThat(Torch.floats(p)[0]).isCloseTo(0.9f, org.assertj.core.data.Offset.offset(1e-6f));
        }
    }

    @Test
    void attentionIsCausalAndGrouped() {
        try (Scope _ = Scope.open()) {
            Tensor q = Torch.zeros(DType.F32, 1, 2, 3, 4);
            Tensor k = Torch.zeros(DType.F32, 1, 1, 3, 4);
            Tensor v = Torch.of(new float[] {1, 1, 1, 1, 3, 3, 3, 3, 5, 5, 5, 5}, 1, 1, 3, 4);
            Tensor o = Ops.attention(q, k, v, null, true, 0.5, true);
            assertThat(Torch.floats(o.select(3, 0))).containsExactly(1, 2, 3, 1, 2, 3);
        }
    }
}
