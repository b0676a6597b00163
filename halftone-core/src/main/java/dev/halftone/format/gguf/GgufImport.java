package dev.halftone.format.gguf;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.format.AtomicFiles;
import dev.halftone.format.LittleEndian;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.format.safetensors.SafetensorsWriter.Entry;
import dev.halftone.quant.Rounding;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/// Makes a Hugging Face folder of a GGUF file, which transformers loads with the same tokens and the same weights.
///
/// Weights are dequantized to float32 and rounded to the wanted type. llama.cpp's converter interleaves the two
/// halves of each query and key head of Llama models; that is undone, as transformers' own GGUF loader does
/// (`modeling_gguf_pytorch_utils.py`, `_reverse_permute_weights`).
public final class GgufImport {

    private final GgufFile file;
    private final DType dtype;
    /// Holds one tensor at a time, as large as the largest.
    private final MemorySegment buffer;

    private GgufImport(GgufFile file, DType dtype, MemorySegment buffer) {
        this.file = file;
        this.dtype = dtype;
        this.buffer = buffer;
    }

    /// What was imported.
    ///
    /// @param architecture `model_type` of the configuration
    /// @param tensors how many were written
    /// @param parameters number of weights, shared ones once
    /// @param bytes size of the weights
    public record Summary(Path folder, String architecture, int tensors, long parameters, DType dtype, long bytes) {}

    /// Imports a file.
    ///
    /// @param dtype of the weights: BF16, F16 or F32
    /// @param replace whether a model folder that is there is replaced
    /// @throws InputException if the file is corrupt, its architecture, quantization or tokenizer is not supported,
    ///     or the folder may not be written
    /// @throws RunException if the folder cannot be written, for example because the disk is full
    public static Summary run(Path gguf, Path outputDir, DType dtype, boolean replace) {
        if (dtype != DType.BF16 && dtype != DType.F16 && dtype != DType.F32) {
            throw new InputException("dtype: weights cannot be stored as %s. Use bf16, fp16 or fp32.".formatted(dtype));
        }
        HfWriter.checkFree(outputDir, replace);
        try (GgufCheckpoint checkpoint = GgufCheckpoint.open(gguf);
                Arena arena = Arena.ofConfined()) {
            List<GgufModel.Slot> slots = checkpoint.slots();
            long[] sizes = slots.stream().mapToLong(s -> elements(s.shape())).toArray();
            MemorySegment buffer = arena.allocate(Arrays.stream(sizes).max().orElse(0) * dtype.bytes());
            GgufImport importer = new GgufImport(checkpoint.file(), dtype, buffer);
            List<Entry> entries = slots.stream()
                    .map(s -> new Entry(s.hf(), dtype, s.shape(), () -> importer.convert(s)))
                    .toList();
            AtomicFiles.writeFolder(outputDir, replace, folder -> {
                HfWriter.writeInto(folder, checkpoint.config(dtype), Map.of(), entries, HfWriter.DEFAULT_SHARD_BYTES);
                checkpoint.writeSideFiles(folder);
            });
            long parameters = Arrays.stream(sizes).sum();
            return new Summary(
                    outputDir,
                    checkpoint.architecture(),
                    entries.size(),
                    parameters,
                    dtype,
                    parameters * dtype.bytes());
        }
    }

    private static long elements(long[] shape) {
        return Arrays.stream(shape).reduce(1, Math::multiplyExact);
    }

    /// The bytes of one tensor, in the buffer.
    private MemorySegment convert(GgufModel.Slot slot) {
        long rows = slot.shape()[0];
        int columns = slot.columns();
        float[] row = new float[columns];
        for (long r = 0; r < rows; r++) {
            file.dequantize(slot.gguf(), slot.fileRow(r) * columns, row, columns);
            store(row, r * columns);
        }
        return buffer.asSlice(0, rows * columns * dtype.bytes());
    }

    private void store(float[] values, long first) {
        for (int i = 0; i < values.length; i++) {
            long at = (first + i) * dtype.bytes();
            switch (dtype) {
                case BF16 -> buffer.set(LittleEndian.SHORT, at, bfloat16(values[i]));
                case F16 -> buffer.set(LittleEndian.SHORT, at, Float.floatToFloat16(values[i]));
                default -> buffer.set(LittleEndian.FLOAT, at, values[i]);
            }
        }
    }

    private static short bfloat16(float value) {
        return (short) (Float.floatToRawIntBits(Rounding.round(value, DType.BF16)) >>> 16);
    }
}
