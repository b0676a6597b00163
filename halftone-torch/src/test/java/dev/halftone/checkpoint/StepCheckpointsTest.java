package dev.halftone.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.checkpoint.StepCheckpoints.StepCheckpoint;
import dev.halftone.format.Json;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StepCheckpointsTest {
    @TempDir
    Path folder;

    @Test
    void whatIsSavedIsRestoredBitForBit() {
        try (Scope _ = Scope.open()) {
            Tensor weight = Torch.of(new float[] {1, -2, 1e-30f, 4, 5, 6}, 2, 3);
            Tensor moment = Ops.to(weight, DType.BF16);
            StepCheckpoints checkpoints = new StepCheckpoints(folder);
            // A transposed tensor is not contiguous: its values are stored, not its memory.
            checkpoints.save(
                    3,
                    Map.of("w", weight.transpose(0, 1)),
                    Map.of("w.exp_avg", moment),
                    Json.object().put("seed", 7),
                    1);
            StepCheckpoint saved = checkpoints.newest().orElseThrow();
            Tensor w = Torch.zeros(DType.F32, 3, 2).requires_grad_(true);
            Tensor m = Torch.zeros(DType.BF16, 2, 3);
            saved.restore(Map.of("w", w), Map.of("w.exp_avg", m));
            assertThat(saved.step()).isEqualTo(3);
            assertThat(saved.state().get("seed").intValue()).isEqualTo(7);
            assertThat(Torch.floats(w)).containsExactly(1, 4, -2, 5, 1e-30f, 6);
            assertThat(Torch.floats(m)).containsExactly(Torch.floats(moment));
        }
    }

    @Test
    void onlyTheNewestAreKeptAndHalfWrittenOnesAreNone() throws Exception {
        try (Scope _ = Scope.open()) {
            StepCheckpoints checkpoints = new StepCheckpoints(folder);
            assertThat(checkpoints.newest()).isEmpty();
            Tensor w = Torch.zeros(DType.F32, 1);
            for (long step : new long[] {2, 4, 10, 8}) {
                checkpoints.save(step, Map.of("w", w), Map.of(), Json.object(), 2);
            }
            Files.createDirectory(folder.resolve(".step_12.1-0123456789abcdef.partial"));
            assertThat(checkpoints.all()).extracting(StepCheckpoint::step).containsExactly(8L, 10L);
            assertThat(checkpoints.newest().orElseThrow().step()).isEqualTo(10);
            checkpoints.save(10, Map.of("w", w), Map.of(), Json.object(), 5);
            assertThat(checkpoints.all()).hasSize(2);
        }
    }

    @Test
    void aCheckpointOfAnotherModelIsRefused() {
        try (Scope _ = Scope.open()) {
            StepCheckpoints checkpoints = new StepCheckpoints(folder);
            checkpoints.save(1, Map.of("w", Torch.zeros(DType.F32, 2)), Map.of(), Json.object(), 1);
            StepCheckpoint saved = checkpoints.newest().orElseThrow();
            assertThatThrownBy(() -> saved.restore(Map.of("v", Torch.zeros(DType.F32, 2)), Map.of()))
                    .isInstanceOf(InputException.class);
            assertThatThrownBy(() -> saved.restore(Map.of("w", Torch.zeros(DType.F32, 3)), Map.of()))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("w is F32[2] there and F32[3] in the model");
            assertThatThrownBy(() -> saved.restore(Map.of("w", Torch.zeros(DType.BF16, 2)), Map.of()))
                    .isInstanceOf(InputException.class);
        }
    }
}
