package dev.halftone.nn;

import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BiConsumer;

/// A node of the model tree: named children and named parameters, in the order they were added.
///
/// The dotted path of a parameter (`model.layers.0.self_attn.q_proj.weight`) is its name in a Hugging Face
/// checkpoint. Subclasses declare a child by `child(name, module)` in their constructor and add a typed `forward`;
/// the tree itself has none, since inputs differ. Whatever works on any model (`prepare`, `convert`, saving) walks
/// this tree.
public abstract class Module implements AutoCloseable {
    private final Map<String, Module> children = new LinkedHashMap<>();
    private final Map<String, Parameter> parameters = new LinkedHashMap<>();

    /// Adds a child. A name may hold dots (`model.embed_tokens`): it is one step of the path all the same.
    protected final <M extends Module> M child(String name, M module) {
        if (children.putIfAbsent(name, module) != null) {
            throw new IllegalStateException("two children named " + name);
        }
        return module;
    }

    /// Adds or replaces a parameter of this very module.
    protected final Parameter parameter(String name, Parameter parameter) {
        parameters.put(name, parameter);
        return parameter;
    }

    protected final void removeParameter(String name) {
        parameters.remove(name);
    }

    /// Every module below this one, and this one under the empty name, parents before children.
    public final Map<String, Module> namedModules() {
        Map<String, Module> all = new LinkedHashMap<>();
        walk("", all::put);
        return all;
    }

    /// Every parameter below this module by its path. A parameter that two modules share (tied embeddings) appears
    /// once, under the path met first.
    public final Map<String, Parameter> namedParameters() {
        Map<String, Parameter> all = new LinkedHashMap<>();
        namedWeights().forEach((path, w) -> {
            if (w instanceof Parameter p) {
                all.put(path, p);
            }
        });
        return all;
    }

    /// [#namedParameters], and the frozen weights that stay packed: all that a checkpoint of the model in float has.
    public final Map<String, Weight> namedWeights() {
        IdentityHashMap<Weight, String> seen = new IdentityHashMap<>();
        Map<String, Weight> all = new LinkedHashMap<>();
        walk("", (path, module) -> {
            if (module instanceof WeightedLayer layer
                    && layer.weight() instanceof FrozenWeight w
                    && seen.putIfAbsent(w, path) == null) {
                all.put(join(path, "weight"), w);
            }
            module.parameters.forEach((name, p) -> {
                if (seen.putIfAbsent(p, name) == null) {
                    all.put(join(path, name), p);
                }
            });
        });
        return all;
    }

    /// [#namedParameters], and what the adapters and transforms of weights train beside them
    /// ([WeightTransform#parameters]): all that an optimizer or a checkpoint of a run has to know.
    public final Map<String, Parameter> allParameters() {
        Map<String, Parameter> all = new LinkedHashMap<>();
        namedWeights().forEach((path, w) -> {
            if (w instanceof Parameter p) {
                all.put(path, p);
            }
            String layer = path.substring(0, path.lastIndexOf('.') + 1);
            WeightTransform transform = w instanceof Parameter p ? p.transform() : null;
            for (WeightTransform t : new WeightTransform[] {w.adapter(), transform}) {
                if (t != null) {
                    t.parameters().forEach((name, own) -> all.put(layer + name, own));
                }
            }
        });
        return all;
    }

    /// Frees the native memory of every weight below this module, which cannot run afterwards. Without it the
    /// memory is freed when the collector finds the model, which may be late: Java sees only small objects.
    @Override
    public final void close() {
        walk("", (_, module) -> module.closeWeights());
    }

    /// Frees what this very module holds.
    protected void closeWeights() {
        parameters.values().forEach(Parameter::close);
    }

    private void walk(String path, BiConsumer<String, Module> visit) {
        visit.accept(path, this);
        children.forEach((name, child) -> child.walk(join(path, name), visit));
    }

    private static String join(String path, String name) {
        return path.isEmpty() ? name : path + "." + name;
    }
}
