package dev.halftone.config.schema;

/// Which labels say how much one of several accumulated batches weighs in the loss of an optimizer step.
///
/// Position `s` predicts the label at `s + 1`, so a row's first label is never learnt. Counting it makes short
/// answers weigh a little more than they should: on the golden curves of four accumulated batches the two rules
/// differ by up to 2.6e-3 in loss.
public enum LabelCount {
    /// The labels that are learnt: the loss is their mean, as if all were one large batch.
    AFTER_SHIFT,
    /// Also a row's first label, where it is not -100: torchtune's rule.
    BEFORE_SHIFT
}
