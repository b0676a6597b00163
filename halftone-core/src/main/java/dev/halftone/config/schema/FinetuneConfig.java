package dev.halftone.config.schema;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.config.Foreign;
import dev.halftone.config.Inline;
import dev.halftone.config.Key;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// The recipes `full`, `qat`, `lora` and `qat_lora`: all weights of a model or adapters of them are trained, under
/// `qat` and `qat_lora` against the grid of a quantization scheme.
@Foreign(
        value = {"compile", "enable_expandable_segments", "low_cpu_ram", "enable_async_checkpointing"},
        why = "it changes speed or memory, not results")
@Foreign(
        value = {"enable_activation_offloading", "ac_mode", "ac_option"},
        why = "it saves memory in torchtune and changes no result; here enable_activation_checkpointing does")
@Foreign(
        value = {
            "fsdp_cpu_offload",
            "fsdp_reshard_after_forward",
            "memory_efficient_fsdp_wrap",
            "custom_sharded_layers",
            "tensor_parallel_plan",
            "use_distributed_state_dict"
        },
        why = "it says how to spread a model over devices; this version trains on one")
@Foreign(
        value = {"tensor_parallel_dim", "data_parallel_replicate_dim", "data_parallel_shard_dim", "context_parallel_dim"
        },
        why = "this version trains on one device",
        harmless = {"1", "-1"})
@Foreign(
        value = {"enable_fp8_training", "resize_token_embeddings"},
        why = "this version has nothing of the kind",
        harmless = "false")
@Foreign(
        value = "metric_logger._component_",
        why = "every run writes metrics.jsonl and TensorBoard events to its output_dir",
        harmless = {"DiskLogger", "StdoutLogger", "TensorBoardLogger"})
@Foreign(value = "metric_logger", why = "every run writes metrics.jsonl and TensorBoard events to its output_dir")
@Foreign(value = "profiler.enabled", why = "there is no profiler", harmless = "false")
@Foreign(value = "profiler", why = "there is no profiler")
@Foreign(value = "collate_fn", why = "batches are padded on the right", harmless = "*padded_collate_sft")
public record FinetuneConfig(
        @Key(value = "the run's folder: run.json, metrics, checkpoints", also = "checkpointer.output_dir")
        Path outputDir,

        @Key(
                value =
                        "a Hugging Face folder: the model, its tokenizer and its chat template. For `lora` also an artifact or a .gguf file, whose weights stay packed",
                also = "checkpointer.checkpoint_dir")
        Path checkpointDir,

        @Key(
                value =
                        "whether to begin with random weights, by the folder's config.json and the seed, and not with its own",
                otherwise = "false")
        boolean fromScratch,

        @Key("what is trained on") DatasetConfig dataset,

        @Key("what changes the weights") OptimizerConfig optimizer,

        @Key(value = "the scheme that `qat` trains for; none for `full`", otherwise = "null") @Nullable
        QuantizerConfig quantizer,

        @Inline LoraConfig lora,

        @Key(value = "whether an epoch leaves only its adapters, and not the merged model too", otherwise = "false")
        boolean saveAdapterWeightsOnly,

        @Key(
                value =
                        "optimizer steps in plain float before fake quantization starts, counted from the run's first, also after a resume",
                otherwise = "0")
        int fakeQuantAfterNSteps,

        @Key(
                value = "tokens of a sample or a packed row; longer samples are cut. Null cuts nothing",
                otherwise = "null",
                also = {"tokenizer.max_seq_len", "dataset.max_seq_len"})
        @Nullable
        Integer maxSeqLen,

        @Key(value = "samples, or packed rows, of one forward pass", otherwise = "1")
        int batchSize,

        @Key(value = "batches whose gradients make one optimizer step", otherwise = "1")
        int gradientAccumulationSteps,

        @Key(value = "passes over the data", otherwise = "1")
        int epochs,

        @Key(value = "where an epoch ends before its data does", otherwise = "null") @Nullable
        Integer maxStepsPerEpoch,

        @Key(value = "whether each epoch has its own order, drawn from the seed", otherwise = "true")
        boolean shuffle,

        @Key(
                value = "what all randomness comes from; a run without one would not repeat, so null means the default",
                otherwise = "1")
        long seed,

        @Key(value = "type of the trained weights: bf16 or fp32", otherwise = "bf16")
        DType dtype,

        @Key(
                value =
                        "type of the matrix products: bf16 with dtype fp32 keeps float32 master weights, as autocast does",
                otherwise = "${dtype}")
        DType computeDtype,

        @Key(value = "where it runs: cpu, cuda or cuda:N", otherwise = "cpu")
        String device,

        @Key(
                value = "implementation of the quantization kernels; null takes vector on the CPU and aten elsewhere",
                otherwise = "null")
        @Nullable
        KernelChoice kernels,

        @Key(value = "how the learning rate changes; null keeps it constant", otherwise = "null") @Nullable
        LrSchedulerConfig lrScheduler,

        @Key(value = "what training makes small", otherwise = "LinearCrossEntropyLoss")
        LossConfig loss,

        @Key(value = "the largest norm of all gradients together; null clips nothing", otherwise = "null") @Nullable
        Double clipGradNorm,

        @Key(
                value =
                        "whether a forward pass keeps only the inputs of layers, and the backward pass runs them again: less memory, more time, the same numbers",
                otherwise = "false")
        boolean enableActivationCheckpointing,

        @Key(
                value =
                        "whether weights are updated within the backward pass, which frees each layer's gradients at once; without gradient_accumulation_steps and clip_grad_norm",
                otherwise = "false")
        boolean optimizerInBwd,

        @Key(value = "what the loss is measured on while training", otherwise = "null") @Nullable
        DatasetConfig datasetVal,

        @Key(value = "samples of one forward pass over dataset_val", otherwise = "${batch_size}")
        int batchSizeVal,

        @Key(value = "how often that happens, in optimizer steps; null never", otherwise = "null") @Nullable
        Integer runValEveryNSteps,

        @Key(value = "how often a step checkpoint is written; null only when an epoch ends", otherwise = "null")
        @Nullable
        Integer saveEveryNSteps,

        @Key(
                value = "how many step checkpoints stay, and how many epochs' models; null keeps all",
                otherwise = "null",
                also = "checkpointer.keep_last_n_checkpoints")
        @Nullable
        Integer keepLastNCheckpoints,

        @Key(value = "whether to go on from the newest step checkpoint in output_dir", otherwise = "false")
        boolean resumeFromCheckpoint,

        @Key(value = "how often metrics are written, in optimizer steps", otherwise = "1")
        int logEveryNSteps,

        @Key(value = "whether the peak of memory is among the metrics", otherwise = "true")
        boolean logPeakMemoryStats,

        @Key(
                value =
                        "how often health.jsonl gets each layer's SQNR, clipped weights, flipped codes and scale drift under `qat`, in optimizer steps; null ten times a run, 0 never",
                otherwise = "null")
        @Nullable
        Integer logLayerHealthEveryNSteps)
        implements RecipeConfig {
    public FinetuneConfig {
        Check.atLeast("fake_quant_after_n_steps", fakeQuantAfterNSteps, 0);
        Check.atLeast("max_seq_len", maxSeqLen, 2);
        Check.atLeast("batch_size", batchSize, 1);
        Check.atLeast("gradient_accumulation_steps", gradientAccumulationSteps, 1);
        Check.atLeast("epochs", epochs, 1);
        Check.atLeast("max_steps_per_epoch", maxStepsPerEpoch, 1);
        Check.above("clip_grad_norm", clipGradNorm, 0);
        Check.atLeast("batch_size_val", batchSizeVal, 1);
        Check.atLeast("run_val_every_n_steps", runValEveryNSteps, 1);
        Check.atLeast("save_every_n_steps", saveEveryNSteps, 1);
        Check.atLeast("keep_last_n_checkpoints", keepLastNCheckpoints, 1);
        Check.atLeast("log_every_n_steps", logEveryNSteps, 1);
        Check.atLeast("log_layer_health_every_n_steps", logLayerHealthEveryNSteps, 0);
        Check.dtype("dtype", dtype);
        Check.dtype("compute_dtype", computeDtype);
        if (dtype == DType.BF16 && computeDtype == DType.F32) {
            throw new InputException(
                    "compute_dtype: products in fp32 gain nothing over weights in bf16. Set dtype=fp32, or leave compute_dtype out.");
        }
        if (optimizer instanceof OptimizerConfig.AdamW adamW && adamW.bf16StochasticRound() && dtype != DType.BF16) {
            throw new InputException(
                    "optimizer: bf16_stochastic_round is for weights in bf16, and dtype is fp32. Set dtype=bf16 or optimizer.bf16_stochastic_round=false.");
        }
        if (optimizerInBwd && (gradientAccumulationSteps > 1 || clipGradNorm != null)) {
            throw new InputException(
                    "optimizer_in_bwd: %s needs all gradients together, and they are freed one by one. Set optimizer_in_bwd=false, or %s."
                            .formatted(
                                    clipGradNorm != null ? "clip_grad_norm" : "gradient_accumulation_steps",
                                    clipGradNorm != null ? "clip_grad_norm=null" : "gradient_accumulation_steps=1"));
        }
        if (maxSeqLen == null && (dataset.packed() || (datasetVal != null && datasetVal.packed()))) {
            throw new InputException("max_seq_len: packed rows need a length. Set max_seq_len=512 or packed=false.");
        }
        if (quantizer == null && fakeQuantAfterNSteps > 0) {
            throw new InputException(
                    "fake_quant_after_n_steps: there is no quantizer to delay. Set quantizer, or remove this key.");
        }
        if (runValEveryNSteps != null && datasetVal == null) {
            throw new InputException(
                    "run_val_every_n_steps: there is no dataset_val to run on. Set dataset_val, or remove this key.");
        }
    }

    /// What `full` demands beyond that.
    ///
    /// @throws InputException if there is a quantizer
    public FinetuneConfig forFull() {
        withoutAdapters("full", "lora");
        if (quantizer != null) {
            throw new InputException(
                    "quantizer: the recipe full trains in plain float. Run qat instead, or remove the quantizer (~quantizer).");
        }
        return this;
    }

    /// What `qat` demands beyond that.
    ///
    /// @throws InputException if there is no quantizer, or none that can be trained for
    public FinetuneConfig forQat() {
        withoutAdapters("qat", "qat_lora");
        if (quantizer == null) {
            throw new InputException(
                    "quantizer: the recipe qat needs one. Set quantizer=Int8DynamicActivationIntxWeightConfig quantizer.weight_dtype=int4.");
        }
        return this;
    }

    /// What `lora` demands beyond that.
    ///
    /// @throws InputException if there is no rank, or a quantizer
    public FinetuneConfig forLora() {
        withAdapters("lora");
        if (quantizer != null) {
            throw new InputException(
                    "quantizer: the recipe lora trains in plain float. Run qat_lora instead, or remove the quantizer (~quantizer).");
        }
        if (fromScratch && lora.packsBase()) {
            throw new InputException(
                    "from_scratch: there are no weights yet that could stay packed. Remove it, or quantize_base and base_quantizer.");
        }
        return this;
    }

    /// What `qat_lora` demands beyond that.
    ///
    /// @throws InputException if there is no rank, or no quantizer
    public FinetuneConfig forQatLora() {
        withAdapters("qat_lora");
        withoutPackedBase("qat_lora");
        if (quantizer == null) {
            throw new InputException(
                    "quantizer: the recipe qat_lora needs one. Set quantizer=Int8DynamicActivationIntxWeightConfig quantizer.weight_dtype=int4.");
        }
        return this;
    }

    private void withAdapters(String recipe) {
        if (lora.loraRank() == null) {
            throw new InputException("lora_rank: the recipe %s needs one. Set lora_rank=8.".formatted(recipe));
        }
        if (lora.trainBase() && saveAdapterWeightsOnly) {
            throw new InputException(
                    "save_adapter_weights_only: the weights are trained too, and would be lost. Set it or train_base to false.");
        }
    }

    private void withoutPackedBase(String recipe) {
        if (lora.packsBase()) {
            throw new InputException(
                    "%s: the recipe %s changes the weights, which must be in float for that. Run lora instead, or remove it."
                            .formatted(lora.quantizeBase() ? "quantize_base" : "base_quantizer", recipe));
        }
    }

    private void withoutAdapters(String recipe, String other) {
        withoutPackedBase(recipe);
        if (lora.loraRank() != null || saveAdapterWeightsOnly) {
            throw new InputException(
                    "lora_rank: the recipe %s trains all weights. Run %s instead, or remove the lora_… keys."
                            .formatted(recipe, other));
        }
    }
}
