package dev.halftone.format;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.compressed.CompressedTensors;
import dev.halftone.format.gguf.LatticeBlocks;
import dev.halftone.format.onnx.OnnxSchemes;
import dev.halftone.format.torchao.Torchao;
import dev.halftone.quant.GgufScheme;
import dev.halftone.quant.QuantScheme;
import java.util.Arrays;
import java.util.Collection;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/// What an artifact can be exported as, for programs that do not read artifacts.
public enum ExportFormat {
    /// llama.cpp's file: codes and scales in its blocks, tokenizer and chat template inside.
    GGUF,
    /// The folder of llm-compressor, for vLLM and transformers: the codes, the scales, and how inputs are quantized.
    COMPRESSED_TENSORS,
    /// A folder for onnxruntime: a graph whose products take the codes, with inputs quantized as the artifact
    /// does it.
    ONNX,
    /// A folder of torchao's tensors, for transformers.
    TORCHAO,
    /// A Hugging Face folder in float: the values that the codes stand for. Inputs stay in float too.
    HF;

    /// Reads a name; hyphens and underscores are the same.
    ///
    /// @throws InputException if it is none
    public static ExportFormat parse(String text) {
        return Arrays.stream(values())
                .filter(f -> f.label().equals(text.toLowerCase(Locale.ROOT).replace('_', '-')))
                .findFirst()
                .orElseThrow(() -> new InputException(
                        "format: there is no '%s'. Use one of %s.".formatted(text, labels(Arrays.asList(values())))));
    }

    /// The name in configurations and certificates.
    public String label() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /// Whether it is a folder, not a file.
    public boolean isFolder() {
        return this != GGUF;
    }

    /// Whether it holds codes and scales, not the values that they stand for.
    public boolean holdsCodes() {
        return this != HF;
    }

    /// Whether inputs are quantized by whoever reads it, as the artifact does it: it says how, or, of llama.cpp's
    /// blocks, everyone knows.
    public boolean quantizesActivations() {
        return switch (this) {
            case HF -> false;
            case GGUF, COMPRESSED_TENSORS, ONNX, TORCHAO -> true;
        };
    }

    /// Whether layers of this scheme can be written without changing a code or a value, as far as a scheme
    /// tells: where that depends on the values of scales, the exporter looks at each of them.
    public boolean fits(QuantScheme scheme) {
        return misfit(scheme).isEmpty();
    }

    /// Why [#fits] is false; empty where it is true.
    public Optional<String> misfit(QuantScheme scheme) {
        return switch (this) {
            case GGUF ->
                scheme.activations(DType.F32) != null && !(scheme instanceof GgufScheme)
                        ? Optional.of("llama.cpp rounds activations in a way of its own")
                        : LatticeBlocks.holding(scheme).isEmpty()
                                ? Optional.of("it has no blocks of such codes and scales")
                                : Optional.empty();
            case COMPRESSED_TENSORS ->
                CompressedTensors.group(scheme).isEmpty()
                        ? Optional.of("compressed-tensors has no such codes, scales or inputs")
                        : Optional.empty();
            case ONNX -> OnnxSchemes.misfit(scheme);
            case TORCHAO -> Torchao.misfit(scheme);
            case HF -> Optional.empty();
        };
    }

    /// @throws InputException if a scheme does not fit, naming the formats that fit all of them
    public void require(Collection<QuantScheme> schemes) {
        for (QuantScheme scheme : schemes) {
            misfit(scheme).ifPresent(why -> {
                String fitting = labels(Arrays.stream(values())
                        .filter(f -> schemes.stream().allMatch(f::fits))
                        .toList());
                throw new InputException("format: %s cannot hold %s: %s. Use format=%s."
                        .formatted(label(), scheme.label(), why, fitting));
            });
        }
    }

    private static String labels(Collection<ExportFormat> formats) {
        return formats.stream().map(ExportFormat::label).collect(Collectors.joining(" or "));
    }
}
