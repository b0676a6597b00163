/// Evaluation by the rules of EleutherAI's lm-evaluation-harness, so that numbers compare.
///
/// Start at [dev.halftone.eval.RollingPerplexity].
@NullMarked
package dev.halftone.eval;

import org.jspecify.annotations.NullMarked;
