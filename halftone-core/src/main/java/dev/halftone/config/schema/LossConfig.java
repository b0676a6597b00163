package dev.halftone.config.schema;

import dev.halftone.config.Component;
import dev.halftone.config.Foreign;
import dev.halftone.config.Key;

/// What training makes small.
public sealed interface LossConfig {
    /// How much each of several accumulated batches counts.
    LabelCount countLabels();

    /// The mean cross entropy of the tokens that are learnt.
    @Component(
            value = {"LinearCrossEntropyLoss", "CEWithChunkedOutputLoss", "CrossEntropyLoss"},
            doc = "the mean cross entropy of the tokens that are learnt")
    @Foreign(value = "num_output_chunks", why = "the size of the chunks changes memory, not results")
    @Foreign(value = "ignore_index", why = "labels of -100 are not learnt", harmless = "-100")
    @Foreign(value = "mask_ignored_tokens", why = "tokens that are not learnt never cost anything")
    record CrossEntropy(
            @Key(
                    value = "what a batch weighs among accumulated ones: its learnt labels `after_shift`, so that"
                            + " accumulating equals one large batch, or `before_shift`, torchtune's rule",
                    otherwise = "after_shift")
            LabelCount countLabels)
            implements LossConfig {}
}
