package dev.halftone.peft;

import dev.halftone.InputException;

/// The shape of low-rank adapters and how they are trained.
///
/// @param rank inner dimension of both factors
/// @param alpha the delta is scaled by `alpha / rank`
/// @param rankStabilized whether it is by `alpha / √rank` instead (rsLoRA, Kalajdzievski 2023)
/// @param dora whether the rows of the adapted weight have magnitudes of their own (DoRA, Liu et al. 2024)
/// @param dropout share of the inputs that a branch leaves out in training, 0 to below 1
/// @param form where the delta meets the weight
public record LoraSettings(int rank, double alpha, boolean rankStabilized, boolean dora, double dropout, Form form) {
    /// Where the delta meets the weight.
    public enum Form {
        /// `y = x · (W + s·B·A)ᵀ`, whatever quantization makes of the sum: what is trained is what merging ships.
        MERGED,
        /// `y = x · Wᵀ + s · (x · Aᵀ) · Bᵀ`, a branch of its own beside a frozen weight that is quantized once: as
        /// torchtune and PEFT compute it. Quantizing the merged weight afterwards gives other codes.
        SEPARATE
    }

    public LoraSettings {
        if (rank < 1) {
            throw new InputException("lora_rank: %d is too small. Use 4, 8, 16 or so.".formatted(rank));
        }
        if (!(alpha > 0)) {
            throw new InputException("lora_alpha: %s is not above 0. Use twice the rank.".formatted(alpha));
        }
        if (!(dropout >= 0 && dropout < 1)) {
            throw new InputException("lora_dropout: %s is not 0 to below 1.".formatted(dropout));
        }
        if (form == Form.MERGED && dropout > 0) {
            throw new InputException(
                    "lora_dropout: merged weights have no branch whose inputs could be left out. Use lora_dropout=0 or lora_form=separate.");
        }
        if (form == Form.SEPARATE && dora) {
            throw new InputException(
                    "use_dora: the magnitudes belong to the whole weight, so there is no separate branch. Use lora_form=merged.");
        }
    }

    /// The same in the merged form, which has no dropout.
    LoraSettings merged() {
        return new LoraSettings(rank, alpha, rankStabilized, dora, 0, Form.MERGED);
    }

    /// What `B·A` is multiplied by.
    public double scaling() {
        return alpha / (rankStabilized ? Math.sqrt(rank) : rank);
    }
}
