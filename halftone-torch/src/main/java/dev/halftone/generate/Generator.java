package dev.halftone.generate;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.nn.KvCache;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Arrays;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntConsumer;
import org.bytedeco.pytorch.Tensor;

/// Lets a model continue a sequence of token ids: the prompt in one forward pass, then a token a step
/// ([CausalLm#tokenStep], or a pass where there is none), with a cache of keys and values.
///
/// Native memory is taken once, for the cache; what a step allocates is freed with the step.
public final class Generator {
    /// Tokens that are read one by one rather than in a forward pass, which would unpack every weight for them: as much
    /// work as a dozen steps.
    private static final int FEW = 12;

    private final CausalLm model;
    private final Sampling sampling;
    private final Set<Integer> eosIds;

    /// @param eosIds tokens that end a generation
    public Generator(CausalLm model, Sampling sampling, Set<Integer> eosIds) {
        this.model = model;
        this.sampling = sampling;
        this.eosIds = Set.copyOf(eosIds);
    }

    /// Generates until a token that ends it, until `maxNewTokens`, or until the model's longest context is full.
    /// Every call draws from a fresh sampler: same prompt, same tokens.
    ///
    /// @param prompt at least one token, and fewer than the model's longest context
    /// @param onToken called with each new token as soon as it is known, the ending token excepted
    /// @throws InputException if the prompt is empty or too long, or an id is not in the vocabulary
    public Generation generate(int[] prompt, int maxNewTokens, IntConsumer onToken) {
        int longest = model.config().maxPositions();
        if (prompt.length == 0) {
            throw new InputException("The prompt has no tokens. Give the model something to continue.");
        }
        if (prompt.length >= longest) {
            throw new InputException(
                    "The prompt has %d tokens, but the model's context holds %d, the answer included. Shorten the prompt."
                            .formatted(prompt.length, longest));
        }
        int room = Math.min(maxNewTokens, longest - prompt.length);
        int[] tokens = new int[room];
        int n = 0;
        boolean ended = false;
        Sampler sampler = new Sampler(sampling);
        long start = System.nanoTime();
        long first = start;
        Optional<CausalLm.TokenStep> step = model.tokenStep();
        try (KvCache cache = new KvCache(prompt.length + room)) {
            int[] unread = prompt;
            while (n < room && !ended) {
                int token = sampler.next(
                        step.isPresent() && unread.length <= FEW
                                ? oneByOne(step.get(), unread, cache)
                                : together(step, unread, cache));
                first = n == 0 ? System.nanoTime() : first;
                ended = eosIds.contains(token);
                if (!ended) {
                    tokens[n++] = token;
                    onToken.accept(token);
                    unread = new int[] {token};
                }
            }
        }
        long end = System.nanoTime();
        return new Generation(Arrays.copyOf(tokens, n), ended, (first - start) / 1e9, (end - first) / 1e9);
    }

    /// Logits after the last of the tokens, which the cache takes up.
    private static float[] oneByOne(CausalLm.TokenStep step, int[] tokens, KvCache cache) {
        float[] logits = new float[0];
        for (int token : tokens) {
            logits = step.logits(token, cache);
        }
        return logits;
    }

    /// The same in one forward pass. The head, often the largest matrix, is not unpacked for its only row.
    private float[] together(Optional<CausalLm.TokenStep> step, int[] tokens, KvCache cache) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor hidden_1SD = model.hidden(Tokens.following(cache.length(), tokens), cache);
            Tensor last_11D = hidden_1SD.narrow(1, tokens.length - 1L, 1);
            return step.map(s -> s.logits(Torch.floats(last_11D)))
                    .orElseGet(() -> Torch.floats(Ops.to(model.logits(last_11D), DType.F32)));
        }
    }
}
