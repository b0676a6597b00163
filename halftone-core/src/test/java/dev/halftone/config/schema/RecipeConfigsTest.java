package dev.halftone.config.schema;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.config.Config;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Numerics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RecipeConfigsTest {
    private static final String FINETUNE = """
            output_dir: runs/smollm2-135M-qat
            checkpoint_dir: models/SmolLM2-135M-Instruct
            dataset: {_component_: text_completion_dataset, data_files: [corpus/train], packed: true}
            optimizer: {_component_: torch.optim.AdamW, lr: 2e-5, weight_decay: 0.01}
            quantizer:
              _component_: torchao.quantization.Int8DynamicActivationIntxWeightConfig
              weight_dtype: int4
              groupsize: 32
              include: ["*"]
              exclude: ["lm_head"]
            fake_quant_after_n_steps: 50
            max_seq_len: 512
            batch_size: 1
            gradient_accumulation_steps: 1
            epochs: 1
            max_steps_per_epoch: 100
            shuffle: true
            seed: 1
            dtype: bf16
            device: cpu
            lr_scheduler: {_component_: get_cosine_schedule_with_warmup, num_warmup_steps: 10}
            clip_grad_norm: 1.0
            """;

    private static FinetuneConfig finetune(String... overrides) {
        return Config.parse("qat.yaml", FINETUNE, List.of(overrides))
                .bind(FinetuneConfig.class)
                .value();
    }

    @Test
    void theWholeConfigurationOfTheDesignBinds() {
        FinetuneConfig c = finetune().forQat();
        assertThat(c.quantizer())
                .isEqualTo(new IntxQuantizer.Int8DynamicActivationIntxWeight(
                        new IntN(4),
                        new Granularity.PerGroup(32),
                        LayerSelection.ALL_BUT_HEAD,
                        GradientRule.CLOSED,
                        null,
                        MixedWidths.NONE));
        assertThat(c.dataset().dataFiles()).containsExactly(Path.of("corpus/train"));
        assertThat(c.clipGradNorm()).isEqualTo(1.0);
        assertThat(c.computeDtype()).isEqualTo(DType.BF16);
        assertThat(c.batchSizeVal()).isEqualTo(1);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "dtype=fp16|dtype: fp16 is not supported",
                "dtype=int8|dtype: int8 is no type to compute in",
                "dtype=bf16 compute_dtype=fp32|compute_dtype: products in fp32 gain nothing",
                "dtype=fp32 optimizer.bf16_stochastic_round=true|optimizer: bf16_stochastic_round is for weights in bf16",
                "~max_seq_len|max_seq_len: packed rows need a length",
                "quantizer=null|fake_quant_after_n_steps: there is no quantizer to delay",
                "run_val_every_n_steps=5|run_val_every_n_steps: there is no dataset_val",
                "batch_size=0|batch_size: 0 is too small. Use 1 or more.",
                "optimizer_in_bwd=true|optimizer_in_bwd: clip_grad_norm needs all gradients together",
                "optimizer_in_bwd=true clip_grad_norm=null gradient_accumulation_steps=2|optimizer_in_bwd: gradient_accumulation_steps needs all",
                "clip_grad_norm=0|clip_grad_norm: 0.0 is too small. Use more than 0.",
                "quantizer.groupsize=1|quantizer.groupsize: 1 is no group. Use 32, 64, 128, 256 or `channel`.",
                "quantizer.groupsize=chanel|quantizer.groupsize: 'chanel' is no group size.",
                "quantizer.weight_dtype=int9|quantizer.weight_dtype: 'int9' is no integer type for weights.",
                "quantizer.include=[]|quantizer.include: the list is empty",
                "quantizer.weight_mapping_type=ASYMMETRIC|quantizer.weight_mapping_type: 'ASYMMETRIC' cannot be honoured",
                "optimizer.lr=-1|optimizer.lr: -1.0 is too small.",
                "optimizer.betas=[0.9]|optimizer.betas: [0.9] are not two numbers",
                "optimizer=bitsandbytes.optim.PagedAdamW8bit|optimizer: 'bitsandbytes.optim.PagedAdamW8bit' cannot be honoured: optimizer states of few bits are not in this version. Set it to torch.optim.AdamW or remove it.",
                "dataset.data_files=[]|dataset.data_files: the list is empty",
                "dataset.source=tatsu-lab/alpaca|dataset.source: 'tatsu-lab/alpaca' is not one of json, text.",
                "dataset.split=test|dataset.split: 'test' is no split of local files.",
                "profiler.enabled=True|profiler.enabled: 'true' cannot be honoured: there is no profiler. Set it to false or remove it.",
                "metric_logger._component_=torchtune.training.metric_logging.WandBLogger|metric_logger._component_: 'WandBLogger' cannot be honoured",
                "model.quantize_base=true use_dora=true|quantize_base: packed weights cannot be trained or changed.",
                "tensor_parallel_dim=2|tensor_parallel_dim: '2' cannot be honoured: this version trains on one device.",
                "checkpointer.output_dirr=x|checkpointer.output_dirr: there is no such key. Did you mean 'output_dir'?",
            })
    void whatCannotWorkIsRefused(String overrides, String message) {
        assertThatThrownBy(() -> finetune(overrides.split(" ")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }

    @Test
    void recipesDisagreeAboutTheQuantizer() {
        assertThatThrownBy(() -> finetune().forFull()).hasMessageStartingWith("quantizer: the recipe full");
        assertThatThrownBy(() -> finetune("model.quantize_base=true").forQat())
                .hasMessageStartingWith("quantize_base: the recipe qat changes the weights");
        assertThatThrownBy(() ->
                        finetune("~quantizer", "~fake_quant_after_n_steps").forQat())
                .hasMessageStartingWith("quantizer: the recipe qat needs one.");
    }

    @Test
    void float32MastersUnderBfloat16ProductsAreAMode() {
        FinetuneConfig c = finetune("dtype=fp32", "compute_dtype=bf16");
        assertThat(c.dtype()).isEqualTo(DType.F32);
        assertThat(c.computeDtype()).isEqualTo(DType.BF16);
    }

    @Test
    void datasetMaxSeqLenIsTheRunsMaxSeqLen() {
        assertThat(finetune("~max_seq_len", "dataset.max_seq_len=64").maxSeqLen())
                .isEqualTo(64);
        assertThat(finetune("~max_seq_len", "tokenizer.max_seq_len=64").maxSeqLen())
                .isEqualTo(64);
    }

    @ParameterizedTest
    @CsvSource({
        "torchao.quantization.Int8DynamicActivationIntxWeightConfig, quantizer.weight_dtype=int4, 8da4w-g32",
        "Int8DynamicActivationIntxWeightConfig, quantizer.group_size=64, 8da8w-g64",
        "IntxWeightOnlyConfig, quantizer.weight_dtype=torch.int3, int3wo-channel",
        "IntxWeightOnlyConfig, quantizer.groupsize=32, int8wo-g32",
        "Int8DynActInt4WeightQATQuantizer, quantizer.groupsize=32, 8da4w-g32@torchao-legacy",
        "Int8DynActInt4WeightQuantizer, quantizer.padding_allowed=False, 8da4w-g256@torchao-legacy",
        "GGUFWeightOnlyConfig, quantizer.type=q4_0, q4_0",
        "GGUFWeightOnlyConfig, quantizer.type=MXFP4, mxfp4",
        "MXDynamicActivationMXWeightConfig, quantizer.block_size=32, mxfp8_e4m3-rceil",
        "MXDynamicActivationMXWeightConfig, quantizer.weight_dtype=torch.float4_e2m1fn_x2, mxfp8_e4m3da-mxfp4w-rceil",
        "MXWeightOnlyConfig, quantizer.scaling_mode=ScaleCalculationMode.EVEN, mxfp8_e4m3wo-even",
        "MXWeightOnlyConfig, quantizer.weight_dtype=mxint8, mxint8wo-rceil",
        "NVFP4DynamicActivationNVFP4WeightConfig, quantizer.use_triton_kernel=True, nvfp4",
        "NVFP4DynamicActivationNVFP4WeightConfig, quantizer.numerics=modelopt, nvfp4@modelopt",
        "NVFP4WeightOnlyConfig, quantizer.use_dynamic_per_tensor_scale=False, nvfp4wo-one_level",
        "NVFP4WeightOnlyConfig, quantizer.numerics=modelopt-training, nvfp4wo@modelopt-training",
        "Int4WeightOnlyConfig, quantizer.group_size=32, int4wo-asym-g32@fbgemm",
        "torchao.quantization.Int4WeightOnlyConfig, quantizer.numerics=fbgemm_training, int4wo-asym-g128@fbgemm-training",
        "Int4WeightOnlyConfig, quantizer.scale_gradient=true, int4wo-asym-g128@fbgemm+scale-gradient",
        "Int4WeightOnlyQATQuantizer, quantizer.groupsize=64, int4wo-asym-g64@tinygemm",
        "torchtune.training.quantization.Int4WeightOnlyQuantizer, quantizer.inner_k_tiles=4, int4wo-asym-g256@tinygemm",
        "Int8DynamicActivationInt8WeightConfig, quantizer.version=2, w8a8",
        "Int8DynamicActivationInt8WeightConfig, quantizer.act_mapping_type=MappingType.ASYMMETRIC, w8a8-asym",
        "Int8DynamicActivationInt8WeightConfig, quantizer.numerics=compressed_tensors, w8a8-channel@compressed-tensors",
        "W4A16, quantizer.groupsize=64, w4a16-g64@compressed-tensors",
        "W4A16, quantizer.symmetric=false, w4a16-asym-g128@compressed-tensors",
        "Float8DynamicActivationFloat8WeightConfig, quantizer.mm_config=null, float8-tensor",
        "Float8DynamicActivationFloat8WeightConfig, quantizer.granularity=PerRow(), float8-row",
        "Float8DynamicActivationFloat8WeightConfig, quantizer.activation_value_ub=1200, 'float8-tensor-amax[0.0,1200.0]'",
        "Float8DynamicActivationFloat8WeightConfig, quantizer.scale_gradient=true, float8-tensor+scale-gradient",
        "Float8DynamicActivationFloat8WeightConfig, quantizer.numerics=torchao-verbatim, float8-tensor@torchao-verbatim",
        "Float8DynamicActivationInt4WeightConfig, quantizer.int4_packing_format=plain, float8-int4-g128",
        "Float8DynamicActivationInt4WeightConfig, quantizer.numerics=torchao_verbatim, float8-int4-g128@torchao-verbatim",
        "ModelOptQuantizer, quantizer.config=INT8_WEIGHT_ONLY_CFG, modelopt-int8_weight_only_cfg",
    })
    void quantizersGiveSchemes(String component, String key, String label) {
        FinetuneConfig c = finetune("quantizer={_component_: " + component + "}", key);
        assertThat(c.forQat().quantizer()).satisfies(q -> assertThat(q.label()).isEqualTo(label));
    }

    @ParameterizedTest
    @CsvSource({
        "MXWeightOnlyConfig, quantizer.weight_dtype=int4, is no MX format. Use one of mxfp4",
        "MXWeightOnlyConfig, quantizer.scaling_mode=round, quantizer.scaling_mode: there is no 'round'.",
        "MXWeightOnlyConfig, quantizer.numerics=modelopt, weight_dtype: there is no mxfp8_e4m3",
        "MXWeightOnlyConfig, quantizer.block_size=16, block_size",
        "NVFP4WeightOnlyConfig, quantizer.numerics=nvidia, quantizer.numerics: nobody's are called 'nvidia'.",
        "NVFP4WeightOnlyConfig, quantizer.numerics=ggml, numerics: there is no NVFP4 of ggml.",
    })
    void whatIsNoMxOrNvfp4IsRefused(String component, String key, String message) {
        assertThatThrownBy(() -> finetune("quantizer={_component_: " + component + "}", key))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }

    @ParameterizedTest
    @CsvSource({
        "Float8DynamicActivationFloat8WeightConfig, quantizer.granularity=group, float8 scales are not shared by a",
        "Float8DynamicActivationFloat8WeightConfig, quantizer.activation_value_lb=-1, activation_value_lb: -1.0 is",
        "Float8DynamicActivationFloat8WeightConfig, quantizer.numerics=ggml, numerics: float8 has none of ggml.",
        "Float8DynamicActivationFloat8WeightConfig, quantizer.weight_dtype=float8_e5m2, weight_dtype",
        "Float8DynamicActivationInt4WeightConfig, quantizer.groupsize=channel, groupsize",
        "Float8DynamicActivationInt4WeightConfig, quantizer.numerics=modelopt, have none of modelopt.",
        "'ModelOptQuantizer, config: int8_weight_only_cfg', quantizer.calibration=mse, has no static activations",
        "Int8StaticActivationInt8WeightConfig, quantizer.calibration_percentile=0, is not above 0",
        "FP8, quantizer.calibration_batches=0, calibration_batches: 0 is too small",
        "ModelOptQuantizer, quantizer.config=int9, is not one of int8_default_cfg",
    })
    void whatIsNoFloat8IsRefused(String component, String key, String message) {
        assertThatThrownBy(() -> finetune("quantizer={_component_: " + component + "}", key))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "Int4WeightOnlyConfig|quantizer.groupsize=channel|groupsize: this quantizer has groups only.",
                "Int4WeightOnlyConfig|quantizer.scale_gradient=true quantizer.gradient_rule=identity|scale_gradient: under",
                "Int4WeightOnlyConfig|quantizer.int4_packing_format=tile_packed_to_4d|cannot be honoured",
                "Int4WeightOnlyQATQuantizer|quantizer.groupsize=channel|groupsize: this quantizer has groups only.",
                "Int4WeightOnlyQATQuantizer|quantizer.scales_precision=float32|cannot be honoured: scales are bfloat16",
                "Int8DynamicActivationInt8WeightConfig|quantizer.act_mapping_type=none|is no mapping of values to codes.",
                "Int8DynamicActivationInt8WeightConfig|quantizer.numerics=compressed_tensors quantizer.act_mapping_type=asymmetric|has symmetric activations",
                "Int8DynamicActivationInt8WeightConfig|quantizer.reduce_range=true|cannot be honoured",
                "W4A16|quantizer.include=[]|include: the list is empty",
            })
    void quantizersRefuseWhatTheyHaveNot(String component, String keys, String message) {
        List<String> overrides = new ArrayList<>(List.of("quantizer={_component_: " + component + "}"));
        overrides.addAll(List.of(keys.split(" ")));
        assertThatThrownBy(() -> finetune(overrides.toArray(String[]::new)).forQat())
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }

    @Test
    void legacyNumericsComeFromTheLegacyNames() {
        FinetuneConfig c = finetune("quantizer={_component_: Int8DynActInt4WeightQuantizer}");
        assertThat(c.forQat().quantizer())
                .satisfies(q ->
                        assertThat(q.parts().getFirst().scheme().numerics()).isEqualTo(Numerics.TORCHAO_LEGACY));
    }

    private static EvalConfig eval(String... overrides) {
        List<String> all = new ArrayList<>(List.of("checkpoint_dir=D"));
        all.addAll(Arrays.asList(overrides));
        return Config.parse("eval.yaml", "quantizer: null\n", all)
                .bind(EvalConfig.class)
                .value();
    }

    @Test
    void evalAfterQuantizingTakesTheSameOverrides() {
        EvalConfig c = eval(
                "tasks=[perplexity]",
                "data_files=[a.txt,b.txt]",
                "dtype=fp32",
                "max_seq_len=2048",
                "quantizer._component_=torchtune.training.quantization.Int8DynActInt4WeightQuantizer",
                "quantizer.groupsize=32");
        assertThat(c.dataFiles()).containsExactly(Path.of("a.txt"), Path.of("b.txt"));
        assertThat(c.dtype()).isEqualTo(DType.F32);
        assertThat(c.quantizer()).satisfies(q -> assertThat(q.label()).startsWith("8da4w-g32"));
        assertThatThrownBy(() -> eval()).hasMessageContaining("data_files: perplexity needs texts");
        assertThatThrownBy(() -> eval("data_files=a", "tasks=[]")).hasMessageContaining("tasks: the list is empty");
    }

    private static GenerateConfig generate(String... overrides) {
        return Config.parse("generate.yaml", "checkpoint_dir: D\n", List.of(overrides))
                .bind(GenerateConfig.class)
                .value();
    }

    @Test
    void searchedWidthsAverageThatOfTheWeightDtype() {
        String intx = "quantizer={_component_: IntxWeightOnlyConfig, weight_dtype: int3, %s}";
        assertThat(quantizer(intx.formatted("mixed_bits: auto")).searchedBits()).hasValue(3);
        assertThat(quantizer(intx.formatted("mixed_bits: auto, average_bits: 3.5"))
                        .searchedBits())
                .hasValue(3.5);
        assertThat(quantizer(intx.formatted("groupsize: 32")).searchedBits()).isEmpty();
        assertThatThrownBy(() -> quantizer(intx.formatted("average_bits: 3.5")))
                .hasMessageContaining("average_bits: the layers have one width");
        assertThatThrownBy(() -> quantizer(intx.formatted("mixed_bits: auto, average_bits: 1.5")))
                .hasMessageContaining("average_bits: 1.5 is too small");
    }

    private static QuantizerConfig.OneScheme quantizer(String override) {
        return Config.parse("test", "output_dir: out\ncheckpoint_dir: model\n", List.of(override))
                .bind(QuantizeConfig.class)
                .value()
                .quantizer()
                .parts()
                .getFirst();
    }

    @Test
    void severalQuantizersComposeInTheirOrder() {
        QuantizerConfig quantizer = Config.parse("test", """
                        output_dir: out
                        checkpoint_dir: model
                        quantizer:
                          _component_: torchao.quantization.qat.ComposableQATQuantizer
                          quantizers:
                            - {_component_: Int8DynActInt4WeightQATQuantizer, groupsize: 32}
                            - {_component_: IntxWeightOnlyConfig, weight_dtype: int8, include: ["*.down_proj"], exclude: []}
                            - {_component_: Int4WeightOnlyEmbeddingQATQuantizer, group_size: 64}
                        """, List.of())
                .bind(QuantizeConfig.class)
                .value()
                .quantizer();
        assertThat(quantizer.parts())
                .extracting(part -> part.scheme().label())
                .containsExactly("8da4w-g32@torchao-legacy", "int8wo-channel", "int4wo-g64@torchao-legacy");
        assertThat(quantizer.parts().get(2).layers().include()).containsExactly("model.embed_tokens");
        assertThat(quantizer.label())
                .isEqualTo("8da4w-g32@torchao-legacy + int8wo-channel + int4wo-g64@torchao-legacy");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "base_config: {_component_: GGUFWeightOnlyConfig, type: q4_0}|q4_0",
                "base_config: {_component_: torchao.quantization.IntxWeightOnlyConfig, weight_dtype: torch.int4,"
                        + " learned_scales: lsq}|int4wo-channel@lsq",
                "weight_config: {_component_: IntxFakeQuantizeConfig, dtype: torch.int4, group_size: 32},"
                        + " activation_config: {_component_: IntxFakeQuantizeConfig, dtype: torch.int8,"
                        + " granularity: per_token, is_symmetric: False, eps: 1.1920928955078125e-07}"
                        + "|8da4w-g32@torchao-legacy",
                "weight_config: {_component_: IntxFakeQuantizeConfig, dtype: int2, granularity: per_channel,"
                        + " range_learning: True, is_dynamic: False}|int2wo-channel@torchao-range-learning",
            })
    void qatConfigIsItsBaseOrItsFakeQuantizers(String keys, String label) {
        assertThat(qatConfig(keys).label()).isEqualTo(label);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "step: prepare|base_config: what is quantized is said by",
                "base_config: {_component_: W4A16}, include: [a]|base_config: it says itself",
                "weight_config: {_component_: IntxFakeQuantizeConfig, dtype: int4}|granularity: weights have groups",
                "weight_config: {_component_: IntxFakeQuantizeConfig, dtype: int4, group_size: 32}|weight_config: float32",
                "weight_config: {_component_: IntxFakeQuantizeConfig, dtype: int4, group_size: 32, range_learning: True}"
                        + "|is_dynamic: scales that are trained",
            })
    void whatQatConfigCannotMeanIsRefused(String keys, String message) {
        assertThatThrownBy(() -> qatConfig(keys))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }

    private static QuantizerConfig qatConfig(String keys) {
        return Config.parse(
                        "test",
                        "output_dir: out\ncheckpoint_dir: model\nquantizer: {_component_: QATConfig, %s}\n"
                                .formatted(keys),
                        List.of())
                .bind(QuantizeConfig.class)
                .value()
                .quantizer();
    }

    @Test
    void promptsAreTextsOrMessages() {
        assertThat(generate("prompt=Once upon").prompt()).isEqualTo(new PromptConfig("Once upon", null, null));
        assertThat(generate("prompt={system: s, user: u}").prompt()).isEqualTo(new PromptConfig(null, "s", "u"));
        assertThat(generate("prompt={user: {text: u}}").prompt()).isEqualTo(new PromptConfig(null, null, "u"));
        assertThat(generate("messages=[{role: user, content: hi}]").messages())
                .containsExactly(new MessageConfig("user", "hi"));
        assertThatThrownBy(() -> generate()).hasMessageContaining("prompt: there is nothing to answer");
        assertThatThrownBy(() -> generate("prompt=x", "messages=[{role: user, content: y}]"))
                .hasMessageContaining("messages: there is a prompt too");
        assertThatThrownBy(() -> generate("prompt={system: s}"))
                .hasMessageContaining("prompt.user: a prompt is either");
        assertThatThrownBy(() -> generate("prompt={user: {text: u, image: i}}"))
                .hasMessageContaining("prompt.user.image: there is no such key.");
        assertThatThrownBy(() -> generate("prompt=x", "top_p=1.5"))
                .hasMessageContaining("top_p: 1.5 is too large. Use 1 or less.");
    }
}
