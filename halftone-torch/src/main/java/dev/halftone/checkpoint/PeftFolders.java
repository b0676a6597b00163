package dev.halftone.checkpoint;

import dev.halftone.InputException;
import dev.halftone.format.AtomicFiles;
import dev.halftone.format.Json;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.format.safetensors.SafetensorsWriter;
import dev.halftone.format.safetensors.SafetensorsWriter.Entry;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.nn.Module;
import dev.halftone.nn.Parameter;
import dev.halftone.peft.Adapters;
import dev.halftone.peft.Lora;
import dev.halftone.peft.LoraSettings;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import tools.jackson.databind.node.ObjectNode;

/// Adapters as PEFT stores them: `adapter_config.json` and `adapter_model.safetensors`, whose tensors are named
/// `base_model.model.<layer>.lora_A.weight` and so on.
public final class PeftFolders {
    static final String CONFIG = "adapter_config.json";
    static final String WEIGHTS = "adapter_model.safetensors";
    private static final String PREFIX = "base_model.model.";
    private static final Map<String, String> METADATA = Map.of("format", "pt");

    private PeftFolders() {}

    /// Writes the adapters of a model, whole or not at all; a folder of adapters that is there is replaced.
    ///
    /// @param base the folder that the model was loaded from
    public static void save(Path dir, Module model, Path base) {
        Map<String, Lora> adapters = Adapters.of(model);
        LoraSettings settings = adapters.values().iterator().next().settings();
        AtomicFiles.writeFolder(dir, Files.exists(dir.resolve(CONFIG)), folder -> {
            try (TensorFiles.Source source = new TensorFiles.Source()) {
                List<Entry> entries = new ArrayList<>();
                adapters.forEach((layer, lora) -> lora.parameters()
                        .forEach((name, p) ->
                                entries.add(source.entry(PREFIX + layer + "." + name, p.master(), p.dtype()))));
                SafetensorsWriter.write(folder.resolve(WEIGHTS), METADATA, entries);
            }
            Json.write(folder.resolve(CONFIG), config(settings, adapters.keySet(), base));
        });
    }

    private static ObjectNode config(LoraSettings settings, Iterable<String> layers, Path base) {
        ObjectNode config = Json.object()
                .put("peft_type", "LORA")
                .put("task_type", "CAUSAL_LM")
                .put("base_model_name_or_path", base.toString())
                .put("bias", "none")
                .put("fan_in_fan_out", false)
                .put("inference_mode", true)
                .put("r", settings.rank())
                .put("lora_alpha", settings.alpha())
                .put("lora_dropout", settings.dropout())
                .put("use_rslora", settings.rankStabilized())
                .put("use_dora", settings.dora());
        TreeSet<String> targets = new TreeSet<>();
        layers.forEach(targets::add);
        targets.forEach(config.putArray("target_modules")::add);
        return config;
    }

    /// Gives the adapters of a model the values of a folder, which training then begins with.
    ///
    /// @throws InputException if the folder holds adapters of other layers or of another shape
    public static void load(Path dir, Module model) {
        ObjectNode config = Json.readObject(dir.resolve(CONFIG));
        Map<String, Lora> adapters = Adapters.of(model);
        LoraSettings settings = adapters.values().iterator().next().settings();
        require(dir, "r", config.path("r").asInt(0), settings.rank());
        require(dir, "lora_alpha", config.path("lora_alpha").asDouble(0), settings.alpha());
        require(dir, "use_rslora", config.path("use_rslora").asBoolean(false), settings.rankStabilized());
        require(dir, "use_dora", config.path("use_dora").asBoolean(false), settings.dora());
        try (SafetensorsFile file = SafetensorsFile.open(dir.resolve(WEIGHTS));
                Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            int read = 0;
            for (Map.Entry<String, Lora> adapter : adapters.entrySet()) {
                for (Map.Entry<String, Parameter> factor :
                        adapter.getValue().parameters().entrySet()) {
                    copy(file, PREFIX + adapter.getKey() + "." + factor.getKey(), factor.getValue(), dir);
                    read++;
                }
            }
            if (read != file.tensors().size()) {
                throw new InputException(
                        "%s adapts more layers than lora_modules names. Set lora_modules to its target_modules."
                                .formatted(dir));
            }
        }
    }

    private static void copy(SafetensorsFile file, String name, Parameter to, Path dir) {
        TensorInfo info = file.tensors().get(name);
        if (info == null || !Arrays.equals(info.shape(), to.shape())) {
            throw new InputException("%s has no tensor '%s' of the shape %s. Set lora_modules to its target_modules."
                    .formatted(dir, name, Arrays.toString(to.shape())));
        }
        to.master().detach().copy_(Torch.of(file.data(name), info.dtype(), info.shape()));
        to.changed();
    }

    private static void require(Path dir, String key, Object theirs, Object ours) {
        if (!theirs.equals(ours)) {
            throw new InputException("%s: %s is %s, and the run's is %s. Give the run the adapter's own."
                    .formatted(dir.resolve(CONFIG), key, theirs, ours));
        }
    }
}
