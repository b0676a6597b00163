package dev.halftone.format.hf;

import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.format.AtomicFiles;
import dev.halftone.format.Json;
import dev.halftone.format.safetensors.SafetensorsWriter;
import dev.halftone.format.safetensors.SafetensorsWriter.Entry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Writes model folders that transformers, vLLM and [HfFolder] read.
public final class HfWriter {
    /// transformers' own limit for a shard.
    public static final long DEFAULT_SHARD_BYTES = 5_000_000_000L;

    /// What else belongs to a model and does not change when its weights do.
    private static final List<String> SIDE_FILES = List.of(
            "generation_config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "tokenizer.model",
            "vocab.json",
            "merges.txt",
            "chat_template.jinja",
            "chat_template.json",
            "LICENSE",
            "LICENSE.txt",
            "NOTICE");

    /// transformers refuses files that do not say for which framework they were written.
    private static final Map<String, String> METADATA = Map.of("format", "pt");

    private HfWriter() {}

    /// Writes a folder, whole or not at all.
    ///
    /// @param maxShardBytes size above which weights go into several files
    /// @param copyFilesFrom the folder whose tokenizer files, `generation_config.json` and license come along
    /// @param replace whether a model folder that is there is replaced
    /// @throws InputException if there is a folder that may not be replaced, or that is no model folder
    /// @throws RunException if it cannot be written, for example because the disk is full
    public static void write(
            Path dir,
            JsonNode config,
            List<Entry> tensors,
            long maxShardBytes,
            @Nullable Path copyFilesFrom,
            boolean replace) {
        checkFree(dir, replace);
        AtomicFiles.writeFolder(dir, replace, folder -> {
            writeInto(folder, config, Map.of(), tensors, maxShardBytes);
            if (copyFilesFrom != null) {
                copySideFiles(copyFilesFrom, folder);
            }
        });
    }

    /// Checks what [#write] checks first, for commands that work long before they write.
    ///
    /// @throws InputException if there is a folder that may not be replaced, or that is no model folder
    public static void checkFree(Path dir, boolean replace) {
        // Replacing removes all that is in a folder: never do that to somebody's home.
        boolean replaceable = replace && Files.exists(dir.resolve(HfFolder.CONFIG));
        AtomicFiles.checkFree(dir, replaceable);
    }

    /// Writes configuration and weights into a folder that exists, such as one that [AtomicFiles#writeFolder]
    /// fills.
    ///
    /// @param metadata what each file of weights says beside its tensors
    public static void writeInto(
            Path folder, JsonNode config, Map<String, String> metadata, List<Entry> tensors, long maxShardBytes) {
        Map<String, String> all = new HashMap<>(metadata);
        all.putAll(METADATA);
        Json.write(folder.resolve(HfFolder.CONFIG), config);
        List<List<Entry>> shards = shards(tensors, maxShardBytes);
        if (shards.size() == 1) {
            SafetensorsWriter.write(folder.resolve(HfFolder.WEIGHTS), all, shards.getFirst());
            return;
        }
        Map<String, String> shardOf = new TreeMap<>();
        for (int i = 0; i < shards.size(); i++) {
            String name = "model-%05d-of-%05d.safetensors".formatted(i + 1, shards.size());
            shards.get(i).forEach(e -> shardOf.put(e.name(), name));
            SafetensorsWriter.write(folder.resolve(name), all, shards.get(i));
        }
        ObjectNode index = Json.object();
        index.putObject("metadata")
                .put("total_size", tensors.stream().mapToLong(Entry::bytes).sum());
        ObjectNode weightMap = index.putObject("weight_map");
        shardOf.forEach(weightMap::put);
        Json.write(folder.resolve(HfFolder.INDEX), index);
    }

    /// Copies what a model folder has beside configuration and weights.
    public static void copySideFiles(Path from, Path to) throws IOException {
        for (String name : SIDE_FILES) {
            if (Files.exists(from.resolve(name))) {
                Files.copy(from.resolve(name), to.resolve(name));
            }
        }
    }

    /// Splits in the given order; a tensor that is larger than a shard gets one of its own.
    private static List<List<Entry>> shards(List<Entry> tensors, long maxShardBytes) {
        List<List<Entry>> shards = new ArrayList<>();
        shards.add(new ArrayList<>());
        long bytes = 0;
        for (Entry e : tensors) {
            if (bytes + e.bytes() > maxShardBytes && !shards.getLast().isEmpty()) {
                shards.add(new ArrayList<>());
                bytes = 0;
            }
            shards.getLast().add(e);
            bytes += e.bytes();
        }
        return shards;
    }
}
