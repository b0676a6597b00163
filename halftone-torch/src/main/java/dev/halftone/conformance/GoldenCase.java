package dev.halftone.conformance;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.torch.Torch;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;

/// A case of an `index.json`: its parameters, and the tensors of its roles.
final class GoldenCase {
    private static final Set<DType> ARITHMETIC = EnumSet.of(DType.F32, DType.BF16, DType.F16);

    private final Path index;
    private final String name;
    private final JsonNode json;
    private final SafetensorsFile file;
    /// Role to key in the file.
    private final Map<String, String> keys = new LinkedHashMap<>();

    private final Set<String> inputs = new HashSet<>();

    /// @throws InputException if the entry does not describe what the file holds
    GoldenCase(Path index, String name, JsonNode json, SafetensorsFile file) {
        this.index = index;
        this.name = name;
        this.json = json;
        this.file = file;
        json.path("tensors").forEachEntry((role, entry) -> {
            String key = entry.path("key").asString("");
            TensorInfo info = file.tensors().get(key);
            if (info == null) {
                throw malformed("%s has no tensor '%s' for the role '%s'".formatted(file.path(), key, role));
            }
            long[] shape = entry.path("shape")
                    .valueStream()
                    .mapToLong(JsonNode::asLong)
                    .toArray();
            if (info.dtype() != DType.parse(entry.path("dtype").asString("")) || !Arrays.equals(info.shape(), shape)) {
                throw malformed("'%s' is %s%s in %s, which the index says otherwise"
                        .formatted(role, info.dtype(), Arrays.toString(info.shape()), file.path()));
            }
            keys.put(role, key);
        });
        if (keys.isEmpty()) {
            throw malformed("it has no tensors");
        }
    }

    String name() {
        return name;
    }

    String scheme() {
        return json.path("scheme").asString("");
    }

    Set<String> roles() {
        return keys.keySet();
    }

    boolean has(String role) {
        return keys.containsKey(role);
    }

    /// The roles that [#input] was asked for.
    Set<String> inputs() {
        return inputs;
    }

    /// A tensor that the case is computed from.
    ///
    /// @throws InputException if there is none
    Tensor input(String role) {
        if (!has(role)) {
            throw malformed("it has no tensor '%s'".formatted(role));
        }
        inputs.add(role);
        return tensor(role);
    }

    /// An input of rows of float32, bfloat16 or float16.
    Tensor floats(String role) {
        Tensor t = input(role);
        if (!ARITHMETIC.contains(Torch.dtype(t)) || t.dim() == 0 || t.numel() == 0) {
            throw malformed("'%s' should hold rows of F32, BF16 or F16".formatted(role));
        }
        return t;
    }

    /// The same with two dimensions.
    Tensor matrix(String role) {
        Tensor t = floats(role);
        if (t.dim() != 2) {
            throw malformed("'%s' should be a matrix".formatted(role));
        }
        return t;
    }

    /// An input of the shape and dtype of `like`.
    Tensor inputLike(String role, Tensor like) {
        Tensor t = input(role);
        if (Torch.dtype(t) != Torch.dtype(like) || !Arrays.equals(Torch.shape(t), Torch.shape(like))) {
            throw malformed(
                    "'%s' should be %s%s".formatted(role, Torch.dtype(like), Arrays.toString(Torch.shape(like))));
        }
        return t;
    }

    /// The tensor of a role that the case has.
    Tensor tensor(String role) {
        TensorInfo info = file.info(keys.getOrDefault(role, role));
        return Torch.of(file.data(info.name()), info.dtype(), info.shape());
    }

    JsonNode parameters() {
        return json.path("params");
    }

    int parameter(String key) {
        JsonNode value = parameters().path(key);
        if (!value.isInt()) {
            throw malformed("params.%s is not a whole number".formatted(key));
        }
        return value.asInt();
    }

    int parameter(String key, int otherwise) {
        return parameters().has(key) ? parameter(key) : otherwise;
    }

    /// What its `tolerance` says of a role; empty if that is of a kind not known here.
    Optional<Tolerance> tolerance(String role) {
        // `grad_w_closed` is `grad_w` with another rule, `grad_w_wide` without the rounding of gradients to float8.
        String base = role.replaceFirst("(_wide)?(_closed)?$", "");
        String text = json.path("tolerance").path("default").asString("bit-exact");
        for (Map.Entry<String, JsonNode> entry : json.path("tolerance").properties()) {
            if (Arrays.stream(entry.getKey().split(",")).anyMatch(key -> matches(key, base))) {
                text = entry.getValue().asString("");
            }
        }
        return Tolerance.parse(text);
    }

    /// @param key a role, or how several roles begin and a `*`
    private static boolean matches(String key, String role) {
        return key.endsWith("*") ? role.startsWith(key.substring(0, key.length() - 1)) : key.equals(role);
    }

    InputException malformed(String what) {
        return new InputException("%s, case '%s': %s. Generate the folder again.".formatted(index, name, what));
    }
}
