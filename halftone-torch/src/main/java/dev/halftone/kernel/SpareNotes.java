package dev.halftone.kernel;

import dev.halftone.quant.GradientRule;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;

/// Notes whose gradients have passed, for the next forward pass.
///
/// New ones in each step would live just long enough for the collector to take them for lasting ones, and it would let
/// the heap grow by some hundred MB before it looks at them again.
public final class SpareNotes {
    private final Deque<GradientNotes> spare = new ArrayDeque<>();

    /// @return empty where the gradient needs the values, or nothing at all
    synchronized Optional<GradientNotes> take(Tensor x, GradientRule rule, GridKernel kernel) {
        for (Iterator<GradientNotes> all = spare.iterator(); all.hasNext(); ) {
            GradientNotes notes = all.next();
            if (notes.fits(x)) {
                all.remove();
                return Optional.of(notes);
            }
        }
        // Never more than were needed at once: new ones take the place of some that were too small.
        spare.poll();
        return kernel.notes(x, rule);
    }

    synchronized void giveBack(GradientNotes notes) {
        spare.push(notes);
    }
}
