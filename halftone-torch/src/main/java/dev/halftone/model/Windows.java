package dev.halftone.model;

import dev.halftone.nn.AttentionContext;
import java.util.Arrays;
import java.util.List;

/// Reads how far back the layers of a model look.
final class Windows {
    private static final String KEY = "sliding_window";
    private static final String SLIDING = "sliding_attention";
    private static final String FULL = "full_attention";

    private Windows() {}

    /// `sliding_window`: `fallback` where the key is absent, no bound where it is null.
    static int size(ConfigJson json, int fallback) {
        return json.isNull(KEY) ? AttentionContext.UNBOUNDED : json.size(KEY, fallback);
    }

    /// The window of each layer in the families whose later layers may have one: those that `layer_types` names, or
    /// those from `max_window_layers` on; none unless `use_sliding_window`.
    static int[] ofLaterLayers(ConfigJson json, int layers) {
        int[] windows = new int[layers];
        Arrays.fill(windows, AttentionContext.UNBOUNDED);
        if (json.flag("use_sliding_window", false)) {
            int window = size(json, 4096);
            int first = json.count("max_window_layers", 28);
            List<String> types = json.texts("layer_types", layers, List.of(SLIDING, FULL));
            for (int i = 0; i < layers; i++) {
                boolean sliding = types.isEmpty() ? i >= first : types.get(i).equals(SLIDING);
                windows[i] = sliding ? window : AttentionContext.UNBOUNDED;
            }
        }
        return windows;
    }
}
