package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.AllSchemes;
import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.Schemes;
import dev.halftone.TinyModels;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.checkpoint.QuantizedFolders;
import dev.halftone.config.schema.ExportConfig;
import dev.halftone.export.Artifact;
import dev.halftone.export.Exporter;
import dev.halftone.format.ExportFormat;
import dev.halftone.format.Json;
import dev.halftone.format.gguf.GgufFile;
import dev.halftone.format.gguf.GgufMetadata;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.qat.InputCalibration;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.quant.Calibration;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Device;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;

class ExportRecipeTest {
    private static final String Q4_0 = "{_component_: GGUFWeightOnlyConfig, type: q4_0}";

    /// What every format holds but those for integers alone.
    private static final String MXFP4 =
            "{_component_: MXWeightOnlyConfig, weight_dtype: mxfp4, scaling_mode: even, numerics: compressed_tensors}";

    static {
        TinyRun.oneThread();
    }

    @TempDir
    Path dir;

    /// What the certificate holds equal: codes and scales read from the blocks, values decoded from them by another
    /// reader, and the outputs of a model built from the file's own metadata.
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "llama|{}",
                "llama|{`tie_word_embeddings`: true, `attention_bias`: true, `mlp_bias`: true, `head_dim`: 32}",
                "llama|{`rope_scaling`: {`rope_type`: `linear`, `factor`: 2.0}}",
                "llama|{`rope_scaling`: {`rope_type`: `yarn`, `factor`: 2.0, `original_max_position_embeddings`: 128}}",
                "mistral|{`sliding_window`: null}",
                "qwen2|{`tie_word_embeddings`: true}",
                "qwen3|{`head_dim`: 128}",
                "smollm3|{}",
                "olmo2|{}",
            })
    void aGgufFileOfEveryFamilyIsTheArtifact(String family, String keys) throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), family, keys.replace('`', '"'));
        Path artifact = TinyModels.quantize(model, dir.resolve("artifact"), Q4_0, "fp32");
        requireEqual(export(artifact, ExportFormat.GGUF).certificate());
    }

    /// The stretched frequencies are a tensor there, and a float32 division away from ours.
    @Test
    void llama3sFrequenciesComeAlong() throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), "llama", """
                {"head_dim": 64, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                 "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}, "rope_theta": 500000.0}""");
        Path artifact = TinyModels.quantize(model, dir.resolve("artifact"), Q4_0, "fp32");
        ExportCertificate certificate = export(artifact, ExportFormat.GGUF).certificate();
        requireEqual(certificate);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{_component_: GGUFWeightOnlyConfig, type: q4_0}|Q4_0|2",
                "{_component_: GGUFWeightOnlyConfig, type: q4_1}|Q4_1|3",
                "{_component_: GGUFWeightOnlyConfig, type: q5_0}|Q5_0|8",
                "{_component_: GGUFWeightOnlyConfig, type: q5_1}|Q5_1|9",
                "{_component_: GGUFWeightOnlyConfig, type: q8_0}|Q8_0|7",
                "{_component_: GGUFWeightOnlyConfig, type: tq1_0}|TQ1_0|36",
                "{_component_: GGUFWeightOnlyConfig, type: tq2_0}|TQ2_0|37",
                "{_component_: GGUFWeightOnlyConfig, type: mxfp4}|MXFP4|38",
                "{_component_: Int8DynamicActivationGGUFWeightConfig, type: q4_1}|Q4_1|3",
                "{_component_: MXWeightOnlyConfig, weight_dtype: mxfp4}|MXFP4|38",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: 64}|Q4_0|2",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int3, groupsize: 32}|Q4_0|2",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int5, groupsize: channel}|Q5_0|8",
                "{_component_: W4A16, groupsize: 32}|Q4_0|2",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int8, groupsize: channel}|Q8_0|7",
            })
    void bfloat16ArtifactsOfEverySchemeThatFitsBecomeItsBlocks(String quantizer, String type, int fileType)
            throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), "llama", "{}");
        Path artifact = TinyModels.quantize(model, dir.resolve("artifact"), quantizer, "bf16");
        requireEqual(export(artifact, ExportFormat.GGUF).certificate());
        try (GgufFile file = GgufFile.open(dir.resolve("out"))) {
            assertThat(file.info("blk.3.ffn_down.weight").typeName()).isEqualTo(type);
            assertThat(file.info("token_embd.weight").typeName()).isEqualTo("BF16");
            assertThat(file.info("blk.0.attn_norm.weight").typeName()).isEqualTo("F32");
            assertThat(file.metadata().whole("general.file_type")).hasValue((long) fileType);
        }
    }

    @AllSchemes
    void everySchemeIsExportedInEachFormatThatFitsIt(QuantScheme scheme) throws IOException {
        int unit = Schemes.unit(scheme);
        Path folder = TinyModels.write(dir.resolve("model"), "llama", """
                {"hidden_size": %d, "intermediate_size": %d, "num_hidden_layers": 1, "num_attention_heads": 2,
                 "num_key_value_heads": 1}""".formatted(2 * unit, unit));
        Path artifact = dir.resolve("artifact");
        try (CausalLm model = Checkpoints.load(folder, DType.BF16, Device.CPU)) {
            Qat.quantize(model, QuantizationPlan.of(scheme).excluding("lm_head"));
            if (InputCalibration.missing(model)) {
                InputCalibration.run(
                        model, Calibration.MINMAX, () -> Certificate.logits(model, Tokens.of(1, 2, 3, 4, 5, 6, 7, 8)));
            }
            QuantizedFolders.save(artifact, model, folder, Long.MAX_VALUE);
        }
        for (ExportFormat format : ExportFormat.values()) {
            ExportConfig config = new ExportConfig(dir.resolve(format.label()), artifact, format, false);
            try {
                ExportCertificate certificate =
                        Recipes.export(config, Events.NONE).certificate();
                assertThat(certificate.holds()).isTrue();
                assertThat(format.fits(scheme)).isTrue();
            } catch (InputException refused) {
                // A scale that is trained, or chosen in float32, is a float16 number by chance only.
                boolean byValue =
                        format.fits(scheme) && scheme.weights(DType.BF16).scaleDtype() == DType.F32;
                assertThat(byValue || !format.fits(scheme)).as("%s", refused).isTrue();
                assertThat(refused).hasMessageContaining("Use format=");
            }
        }
    }

    /// The folder says all that there is to the model: `eval` and `generate` take it.
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int3, groupsize: 32, include: ['*', model.embed_tokens], exclude: []}|bf16|torchao",
                "{_component_: Int8DynamicActivationInt8WeightConfig, act_mapping_type: asymmetric}|bf16|torchao",
                "{_component_: W4A16, groupsize: 8, symmetric: false}|fp32|torchao",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: 32, include: ['*', model.embed_tokens], exclude: []}|bf16|onnx",
                "{_component_: W4A16, groupsize: 8, symmetric: false}|fp32|onnx",
                "{_component_: Int8DynamicActivationIntxWeightConfig, weight_dtype: int4, groupsize: channel}|fp32|onnx",
            })
    void aFolderWithCodesIsLoadedAsTheArtifactThatItIs(String quantizer, String dtype, String format)
            throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), "qwen2", "{\"tie_word_embeddings\": true}");
        Path artifact = TinyModels.quantize(model, dir.resolve("artifact"), quantizer, dtype);
        ExportRecipe.Result result = export(artifact, ExportFormat.parse(format));
        requireEqual(result.certificate());
        assertThat(result.output()).isDirectoryContaining("glob:**/tokenizer.json");
        try (CausalLm expected = Checkpoints.load(artifact, DType.F32, Device.CPU);
                CausalLm actual = Checkpoints.load(result.output(), DType.F32, Device.CPU)) {
            Tokens tokens = Tokens.of(1, 2, 3, 4, 5, 6, 7, 8);
            assertThat(Certificate.logits(actual, tokens)).isEqualTo(Certificate.logits(expected, tokens));
        }
        assertThatThrownBy(() -> Checkpoints.loadFloat(result.output(), DType.F32, DType.F32, Device.CPU))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("quantized already");
    }

    /// Every part of the file that the model is not read from.
    @Test
    void anOnnxGraphThatIsNotTheArtifactsIsNotCertified() throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), "llama", "{}");
        Path artifact = TinyModels.quantize(model, dir.resolve("artifact"), Q4_0, "fp32");
        Exporter real = Exporter.of(ExportFormat.ONNX);
        Exporter faulty = new Exporter() {
            @Override
            public void write(Artifact a, Path target) {
                real.write(a, target);
                try {
                    Path graph = target.resolve("model.onnx");
                    String bytes = new String(Files.readAllBytes(graph), StandardCharsets.ISO_8859_1);
                    Files.writeString(graph, bytes.replaceFirst("Sigmoid", "Softmax"), StandardCharsets.ISO_8859_1);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }

            @Override
            public CausalLm read(Path written, Artifact a) {
                return real.read(written, a);
            }
        };
        ExportConfig config = new ExportConfig(dir.resolve("out"), artifact, ExportFormat.ONNX, false);
        assertThatThrownBy(() -> ExportRecipe.run(config, faulty, Events.NONE))
                .isInstanceOf(RunException.class)
                .hasMessageContaining("the graph is not the artifact's");
        assertThat(dir.toFile().list()).doesNotContain("out");
    }

    @Test
    void theTokenizerAndTheChatTemplateComeAlong() throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), "llama", "{\"vocab_size\": 650}");
        export(TinyModels.quantize(model, dir.resolve("artifact"), Q4_0, "fp32"), ExportFormat.GGUF);
        try (GgufFile file = GgufFile.open(dir.resolve("out"))) {
            GgufMetadata keys = file.metadata();
            assertThat(keys.text("tokenizer.ggml.pre")).hasValue("smollm");
            assertThat(keys.bool("tokenizer.ggml.add_bos_token")).hasValue(false);
            assertThat(keys.whole("tokenizer.ggml.bos_token_id")).hasValue(1L);
            assertThat(keys.whole("tokenizer.ggml.eos_token_id")).hasValue(2L);
            assertThat(keys.whole("tokenizer.ggml.padding_token_id")).hasValue(0L);
            assertThat(keys.text("tokenizer.chat_template")).hasValue(TinyModels.TEMPLATE);
            assertThat(keys.texts("tokenizer.ggml.tokens").orElseThrow())
                    .hasSize(650)
                    .startsWith("<|endoftext|>", "<|im_start|>", "<|im_end|>")
                    .endsWith("[PAD649]");
            long[] types = keys.wholes("tokenizer.ggml.token_type").orElseThrow();
            assertThat(types).startsWith(3, 3, 3, 1).endsWith(5);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{_component_: Int8DynamicActivationIntxWeightConfig, weight_dtype: int4, groupsize: 32}|bf16",
                "{_component_: Int4WeightOnlyConfig, groupsize: 32}|fp32",
                "{_component_: NVFP4WeightOnlyConfig}|bf16",
            })
    void aFolderInFloatHoldsTheValuesOfEveryScheme(String quantizer, String dtype) throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), "llama", "{}");
        Path artifact = TinyModels.quantize(model, dir.resolve("artifact"), quantizer, dtype);
        ExportRecipe.Result result = export(artifact, ExportFormat.HF);
        requireEqual(result.certificate());
        assertThat(Json.readObject(result.output().resolve("certificate.json"))
                        .path("holds")
                        .asBoolean())
                .isTrue();
        JsonNode config = Json.readObject(result.output().resolve("config.json"));
        assertThat(config.has("quantization_config")).isFalse();
        assertThat(config.has("halftone")).isFalse();
        try (SafetensorsFile weights = SafetensorsFile.open(result.output().resolve("model.safetensors"));
                SafetensorsFile original = SafetensorsFile.open(model.resolve("model.safetensors"))) {
            assertThat(weights.tensors().keySet())
                    .containsExactlyInAnyOrderElementsOf(original.tensors().keySet());
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{_component_: Int8DynamicActivationIntxWeightConfig, weight_dtype: int4, groupsize: 32}|bf16|activations",
                "{_component_: Int4WeightOnlyConfig, groupsize: 32}|bf16|no blocks of such codes",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: 16}|bf16|no blocks of such codes",
                "{_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: 32}|fp32|scales are no float16",
            })
    void whatDoesNotFitIsRefusedWithFormatsThatDo(String quantizer, String dtype, String why) throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), "llama", "{}");
        Path artifact = TinyModels.quantize(model, dir.resolve("artifact"), quantizer, dtype);
        assertThatThrownBy(() -> export(artifact, ExportFormat.GGUF))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(why)
                .hasMessageContaining("Use format=")
                .hasMessageContaining("hf");
        assertThat(dir.toFile().list()).doesNotContain("out");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "smollm3|{`no_rope_layer_interval`: 2}|every fourth layer",
                "olmo2|{`tie_word_embeddings`: true}|a head of its own",
                "qwen3|{`attention_bias`: true}|no such tensor",
                "qwen2|{`use_sliding_window`: true, `sliding_window`: 64, `max_window_layers`: 2}|sliding window",
            })
    void modelsThatLlamaCppWouldComputeOtherwiseAreRefused(String family, String keys, String why) throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), family, keys.replace('`', '"'));
        Path artifact = TinyModels.quantize(model, dir.resolve("artifact"), Q4_0, "fp32");
        assertThatThrownBy(() -> export(artifact, ExportFormat.GGUF))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(why)
                .hasMessageContaining("format=hf");
    }

    /// llama.cpp attends to everything where Mistral has a window, which is the same within it.
    @Test
    void aWindowBoundsTheContext() throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), "mistral", "{\"sliding_window\": 48}");
        Path artifact = TinyModels.quantize(model, dir.resolve("artifact"), Q4_0, "fp32");
        ExportCertificate certificate = export(artifact, ExportFormat.GGUF).certificate();
        requireEqual(certificate);
        assertThat(certificate.tokens()).isEqualTo(48);
        try (GgufFile file = GgufFile.open(dir.resolve("out"))) {
            assertThat(file.metadata().whole("llama.context_length")).hasValue(48L);
        }
    }

    @ParameterizedTest
    @EnumSource(ExportFormat.class)
    void anExportThatFailsLeavesTheEarlierOneAsItWas(ExportFormat format) throws IOException {
        Path model = TinyModels.write(dir.resolve("model"), "llama", "{}");
        boolean integers = format == ExportFormat.ONNX || format == ExportFormat.TORCHAO;
        String quantizer = integers ? Q4_0 : MXFP4;
        Path artifact = TinyModels.quantize(model, dir.resolve("artifact"), quantizer, "fp32");
        Path out = export(artifact, format).output();
        byte[] earlier = Files.readAllBytes(weights(out));
        assertThatThrownBy(() -> export(artifact, format))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(out.toString());
        ExportConfig again = new ExportConfig(out, artifact, format, true);

        Exporter real = Exporter.of(format);
        assertThatThrownBy(() -> ExportRecipe.run(again, faulty(real, RandomAccessFile::setLength), Events.NONE))
                .isInstanceOf(InputException.class);
        assertThatThrownBy(() -> ExportRecipe.run(
                        again,
                        faulty(real, (file, at) -> {
                            file.seek(at);
                            int b = file.read();
                            file.seek(at);
                            file.write(b ^ 1);
                        }),
                        Events.NONE))
                .isInstanceOf(RunException.class)
                .hasMessageContaining("not the artifact");
        assertThat(Files.readAllBytes(weights(out))).isEqualTo(earlier);
        assertThat(dir.toFile().list()).noneMatch(name -> name.startsWith("."));

        Recipes.export(again, Events.NONE);
        assertThat(Files.readAllBytes(weights(out))).isEqualTo(earlier);
    }

    private interface Fault {
        /// @param at somewhere within the weights
        void damage(RandomAccessFile file, long at) throws IOException;
    }

    private static Exporter faulty(Exporter real, Fault fault) {
        return new Exporter() {
            @Override
            public void write(Artifact artifact, Path target) {
                real.write(artifact, target);
                try (RandomAccessFile file =
                        new RandomAccessFile(weights(target).toFile(), "rw")) {
                    fault.damage(file, file.length() / 3);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }

            @Override
            public CausalLm read(Path written, Artifact artifact) {
                return real.read(written, artifact);
            }
        };
    }

    private static Path weights(Path export) {
        if (!Files.isDirectory(export)) {
            return export;
        }
        Path onnx = export.resolve("model.onnx.data");
        return Files.exists(onnx) ? onnx : export.resolve("model.safetensors");
    }

    private void requireEqual(ExportCertificate certificate) {
        assertThat(certificate.holds()).isTrue();
        assertThat(certificate.equalWeights()).isEqualTo(certificate.weights()).isPositive();
        assertThat(certificate.equalFloats()).isEqualTo(certificate.floats()).isPositive();
        assertThat(certificate.outputs().perplexity()).isBetween(10.0, 1e9);
        assertThat(certificate.outputs().maxAbsDiff()).isLessThan(1e-4);
    }

    private ExportRecipe.Result export(Path artifact, ExportFormat format) {
        return Recipes.export(new ExportConfig(dir.resolve("out"), artifact, format, false), Events.NONE);
    }
}
