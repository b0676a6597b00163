package dev.halftone.export;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.checkpoint.QuantizedFolders;
import dev.halftone.format.Json;
import dev.halftone.format.LittleEndian;
import dev.halftone.format.gguf.Architecture;
import dev.halftone.format.gguf.GgmlType;
import dev.halftone.format.gguf.GgufCheckpoint;
import dev.halftone.format.gguf.GgufValue;
import dev.halftone.format.gguf.GgufWriter;
import dev.halftone.format.gguf.GgufWriter.Entry;
import dev.halftone.format.gguf.LatticeBlocks;
import dev.halftone.kernel.Quantized;
import dev.halftone.model.CausalLm;
import dev.halftone.model.DecoderConfig;
import dev.halftone.model.Models;
import dev.halftone.nn.Parameter;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.quant.GgufLattice;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Oracle.Codes;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;

/// An artifact as llama.cpp's file.
///
/// Codes and scales are packed into blocks as they are ([LatticeBlocks#holding]). What is in float stays
/// exact: vectors become F32, as llama.cpp demands, and matrices keep their type.
final class GgufExporter implements Exporter {
    private static final Pattern NUMBER = Pattern.compile("\\d+");

    /// Layer 10 after layer 9.
    private static final Comparator<String> ORDER = Comparator.comparing(name ->
            NUMBER.matcher(name).replaceAll(n -> "%06d".formatted(Integer.parseInt(n.group()))));

    @Override
    public void check(Path artifact) {
        JsonNode size = Json.readObject(artifact.resolve("config.json")).path("vocab_size");
        if (size.isInt()) {
            GgufVocabulary _ = new GgufVocabulary(artifact, size.intValue());
        }
    }

    @Override
    public void write(Artifact artifact, Path target) {
        GgufKeys model = new GgufKeys(artifact);
        GgufVocabulary vocabulary =
                new GgufVocabulary(artifact.dir(), artifact.model().config().vocabSize());
        Map<String, Entry> entries = new TreeMap<>(ORDER);
        Map<GgmlType, Long> weights = new HashMap<>();
        artifact.model().namedParameters().forEach((name, p) -> entries.put(name, floats(name, p, artifact, model)));
        QuantizedFolders.distinct(artifact.model()).forEach((layer, w) -> {
            Entry entry = blocks(layer + ".weight", w, artifact, model);
            entries.put(layer + ".weight", entry);
            weights.merge(entry.type(), w.shape()[0] * w.shape()[1], Long::sum);
        });
        List<Entry> tensors = new ArrayList<>(entries.values());
        float[] factors = model.ropeFactors();
        if (factors != null) {
            MemorySegment row = MemorySegment.ofArray(factors);
            tensors.add(new Entry("rope_freqs.weight", GgmlType.F32, new long[] {factors.length}, _ -> row));
        }
        long parameters =
                entries.values().stream().mapToLong(GgufExporter::elements).sum();
        GgmlType most = weights.entrySet().stream()
                .max(Map.Entry.comparingByValue())
                .orElseThrow()
                .getKey();
        Map<String, GgufValue> keys = model.keys(parameters, most);
        vocabulary.writeTo(keys);
        GgufWriter.write(target, keys, tensors);
    }

    private static long elements(Entry entry) {
        long elements = 1;
        for (long n : entry.shape()) {
            elements *= n;
        }
        return elements;
    }

    private static Entry floats(String name, Parameter p, Artifact artifact, GgufKeys model) {
        long[] shape = p.shape();
        long permuted = permutedHeads(name, artifact, model);
        if (shape.length == 1) {
            return new Entry(fileName(name, model), GgmlType.F32, shape, _ -> vector(p, permuted));
        }
        GgmlType type = p.dtype() == DType.F32 ? GgmlType.F32 : GgmlType.BF16;
        MemorySegment data = Torch.memory(p.master());
        long bytes = data.byteSize() / shape[0];
        return new Entry(
                fileName(name, model),
                type,
                shape,
                r -> data.asSlice(Architecture.modelRow(r, shape[0], permuted) * bytes, bytes));
    }

    private static MemorySegment vector(Parameter p, long permutedHeads) {
        float[] values = Torch.floats(p.master());
        MemorySegment row = MemorySegment.ofArray(new byte[values.length * Float.BYTES]);
        for (int i = 0; i < values.length; i++) {
            int from = Math.toIntExact(Architecture.modelRow(i, values.length, permutedHeads));
            row.set(LittleEndian.FLOAT, (long) i * Float.BYTES, values[from]);
        }
        return row;
    }

    private static Entry blocks(String name, QuantizedWeight w, Artifact artifact, GgufKeys model) {
        GgufLattice lattice = LatticeBlocks.holding(w.scheme()).orElseThrow();
        int columns = Math.toIntExact(w.shape()[1]);
        if (columns % lattice.blockSize() != 0) {
            throw refused(name, "its rows of %d are no whole blocks of %d".formatted(columns, lattice.blockSize()), w);
        }
        requireExactScales(name, w, lattice);
        long permuted = permutedHeads(name, artifact, model);
        Granularity granularity = w.grid().granularity();
        int blocksPerScale = granularity.groupSize(columns) / lattice.blockSize();
        return new Entry(fileName(name, model), LatticeBlocks.type(lattice), w.shape(), r -> {
            long from = Architecture.modelRow(r, w.shape()[0], permuted);
            try (Scope _ = Scope.open()) {
                Quantized q = w.matrix().quantized(from, 1);
                Codes row = new Codes(
                        Torch.memory(q.codes()).toArray(ValueLayout.JAVA_BYTE),
                        repeated(q.scale(), blocksPerScale),
                        q.zeroPoint() == null ? null : repeated(q.zeroPoint(), blocksPerScale),
                        1);
                return MemorySegment.ofArray(LatticeBlocks.pack(row, lattice));
            }
        });
    }

    /// Each number `times` times.
    private static float[] repeated(Tensor t, int times) {
        float[] row = Torch.floats(t);
        float[] all = new float[row.length * times];
        for (int i = 0; i < all.length; i++) {
            all[i] = row[i / times];
        }
        return all;
    }

    /// Every scale must be a number that a block can hold: float16, or a power of two.
    private static void requireExactScales(String name, QuantizedWeight w, GgufLattice lattice) {
        boolean powers = lattice.rule() == GgufLattice.Rule.E2M1;
        float[] scales = Torch.floats(w.matrix().scale());
        int inexact = 0;
        for (float s : scales) {
            boolean exact = powers ? !Float.isNaN(s) : Float.float16ToFloat(Float.floatToFloat16(s)) == s;
            inexact += exact ? 0 : 1;
        }
        if (inexact > 0) {
            throw refused(
                    name,
                    powers
                            ? "%d of its %,d scales are NaN, which llama.cpp refuses".formatted(inexact, scales.length)
                            : "%,d of its %,d scales are no float16 numbers".formatted(inexact, scales.length),
                    w);
        }
    }

    private static String fileName(String name, GgufKeys model) {
        return model.architecture()
                .tensorName(name)
                .orElseThrow(() -> new InputException(
                        "format: gguf cannot hold %s: llama.cpp's %s has no such tensor. Use format=hf."
                                .formatted(name, model.architecture().label())));
    }

    private static long permutedHeads(String name, Artifact artifact, GgufKeys model) {
        DecoderConfig config = artifact.model().config();
        return model.architecture().permutedHeads(name, config.heads(), config.kvHeads());
    }

    private static InputException refused(String name, String why, QuantizedWeight w) {
        return new InputException(
                "format: gguf cannot hold %s as %s: %s. Use format=hf, or train for GGUFWeightOnlyConfig, whose blocks are gguf's."
                        .formatted(name, w.scheme().label(), why));
    }

    @Override
    public CausalLm read(Path written, Artifact artifact) {
        try (GgufCheckpoint file = GgufCheckpoint.open(written)) {
            GgufSource source = new GgufSource(file, artifact.contents());
            CausalLm model = Models.build(file.config(artifact.dtype()), source);
            source.requireAllTaken();
            Qat.quantizeActivations(model);
            return model;
        }
    }
}
