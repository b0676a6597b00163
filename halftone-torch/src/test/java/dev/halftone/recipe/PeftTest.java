package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.Python;
import dev.halftone.TinyModels;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.checkpoint.PeftFolders;
import dev.halftone.config.Config;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.config.schema.MergeConfig;
import dev.halftone.format.Json;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.torch.Device;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Adapters that our recipes trained, loaded by the real PEFT, and PEFT's own, loaded here: the logits of model
/// and adapter, and the weights of the merged model.
class PeftTest {
    private static final Tokens TOKENS = Tokens.of(1, 24, IntStream.range(3, 27).toArray());

    /// Of logits, relative to the largest: PEFT adds the adapter's output to the layer's, we multiply by the sum
    /// of the weights. In float32 the same sums in another order.
    private static final double LOGITS = 1e-5;
    /// Of merged weights, relative to the largest: some units in the last place, 6e-8.
    private static final double WEIGHTS = 1e-6;

    private static final String INT4 =
            "quantizer: {_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: 32, exclude: [lm_head]}\n";

    static {
        TinyRun.oneThread();
    }

    @TempDir
    Path dir;

    /// A model, an adapter of it, and the model with the adapter merged.
    ///
    /// @param config PEFT's own, where it writes the adapter; null where a run of ours did
    private record Case(
            String name,
            Path model,
            Path adapter,
            Path merged,
            @Nullable ObjectNode config) {}

    @Test
    void whatEitherWroteTheOtherComputesWith() throws IOException {
        Python python = Python.orSkip();
        Path llama = TinyRun.golden("model");
        // Layers with biases of their own, and a head tied to the embedding.
        Path qwen2 = TinyModels.write(dir.resolve("qwen2"), "qwen2", "{\"tie_word_embeddings\": true}");
        List<Case> cases = List.of(
                trained("lora", llama, ""),
                trained("separate", llama, "lora_form: separate\n"),
                trained("dora", llama, "use_dora: true\n"),
                trained("rslora", llama, "use_rslora: true\nlora_alpha: 3\n"),
                trained("some", llama, "lora_modules: ['*.q_proj', model.layers.1.mlp.up_proj, lm_head]\n"),
                trained("biases", qwen2, ""),
                trained("dora-biases", qwen2, "use_dora: true\n"),
                trained("qat-lora", llama, INT4),
                peft("all", llama, "{'r': 4, 'target_modules': 'all-linear'}"),
                peft(
                        "pattern",
                        llama,
                        "{'r': 2, 'target_modules': '.*layers[.]1[.](self_attn[.]q_proj|mlp[.]up_proj)'}"),
                peft("layers", llama, "{'r': 3, 'target_modules': ['v_proj'], 'layers_to_transform': [0]}"),
                peft(
                        "dora",
                        llama,
                        "{'r': 4, 'lora_alpha': 6, 'use_dora': true, 'target_modules': ['v_proj', 'gate_proj']}"),
                peft(
                        "rslora",
                        llama,
                        "{'r': 4, 'lora_alpha': 6, 'use_rslora': true, 'target_modules': ['k_proj', 'lm_head']}"),
                peft("dora-biases", qwen2, "{'r': 4, 'use_dora': true, 'target_modules': ['q_proj', 'down_proj']}"));
        ArrayNode jobs = Json.object().putArray("jobs");
        for (Case c : cases) {
            ObjectNode job = jobs.addObject()
                    .put("model", c.model().toString())
                    .put("adapter", c.adapter().toString());
            job.set("config", c.config());
        }
        python.run(Python.script(PeftTest.class, "peft/adapters.py"), jobs.toString(), List.of());
        for (Case c : cases) {
            if (c.config() != null) {
                merge(c);
            }
            compare(c);
        }
    }

    /// A run of twelve steps, long enough for the adapter to matter.
    private Case trained(String name, Path model, String keys) {
        Path data = TinyRun.writeGoldenBatches(dir.resolve("data.jsonl"), "");
        String yaml = TinyRun.yaml(dir.resolve("run-" + name), model, data).replace("lr: 1e-3", "lr: 1e-2")
                + "dtype: fp32\nbatch_size: 4\nlora_rank: 4\n" + keys;
        FinetuneConfig config =
                Config.parse("test", yaml, List.of()).bind(FinetuneConfig.class).value();
        FinetuneRecipe.Result run =
                keys.contains("quantizer") ? Recipes.qatLora(config, Events.NONE) : Recipes.lora(config, Events.NONE);
        return new Case("our " + name, model, run.adapter(), run.model(), null);
    }

    private Case peft(String name, Path model, String config) {
        return new Case(
                "PEFT's " + name,
                model,
                dir.resolve("peft-" + name),
                dir.resolve("merged-" + name),
                Json.parseObject(config.replace('\'', '"')));
    }

    private static void merge(Case c) {
        String yaml = "{output_dir: '%s', checkpoint_dir: '%s', adapter_dir: '%s'}"
                .formatted(c.merged(), c.model(), c.adapter());
        Recipes.merge(
                Config.parse("test", yaml, List.of()).bind(MergeConfig.class).value(), Events.NONE);
    }

    private static void compare(Case c) {
        try (CausalLm model = Checkpoints.load(c.model(), DType.F32, Device.CPU);
                SafetensorsFile peft = SafetensorsFile.open(c.adapter().resolve("peft.safetensors"));
                HfFolder merged = HfFolder.open(c.merged())) {
            float[] expected = floats(peft.data("logits"), peft.info("logits"));
            float[] plain = Certificate.logits(model, TOKENS);
            PeftFolders.attach(c.adapter(), model);
            assertThat(Apart.of(expected, Certificate.logits(model, TOKENS)))
                    .as(c.name())
                    .isLessThan(LOGITS);
            assertThat(Apart.of(expected, plain))
                    .as("what the adapter of %s does", c.name())
                    .isGreaterThan(0.05);
            for (String name : merged.tensorNames()) {
                float[] theirs = floats(peft.data(name), peft.info(name));
                assertThat(Apart.of(theirs, floats(merged.data(name), merged.info(name))))
                        .as("%s of %s, merged", name, c.name())
                        .isLessThan(WEIGHTS);
            }
        }
    }

    private static float[] floats(MemorySegment data, TensorInfo info) {
        try (Scope _ = Scope.open()) {
            return Torch.floats(Torch.of(data, info.dtype(), info.shape()));
        }
    }
}
