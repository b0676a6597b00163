package dev.halftone.recipe;

import dev.halftone.format.Json;
import java.util.Locale;
import tools.jackson.databind.node.ObjectNode;

/// How far two models' outputs for one text lie apart.
///
/// @param maxAbsDiff largest difference of any logit
/// @param sqnrDb power of the one's logits over that of the differences, in dB; infinite where there are none
/// @param top1 share of positions with the same likeliest token
/// @param perplexity of the one, a token
/// @param otherPerplexity of the other
public record Agreement(double maxAbsDiff, double sqnrDb, double top1, double perplexity, double otherPerplexity) {
    /// @param expected logits `[S, V]` of the one, row-major
    /// @param actual of the other
    /// @param ids the S tokens
    static Agreement of(float[] expected, float[] actual, int[] ids) {
        int rows = ids.length;
        int vocabulary = expected.length / rows;
        double signal = 0;
        double noise = 0;
        double largest = 0;
        int agreed = 0;
        for (int row = 0; row < rows; row++) {
            int likeliest = 0;
            int likeliestActual = 0;
            for (int v = 0; v < vocabulary; v++) {
                int i = row * vocabulary + v;
                double difference = (double) expected[i] - actual[i];
                signal += (double) expected[i] * expected[i];
                noise += difference * difference;
                // NaN on either side must not pass for equality.
                largest = Double.isNaN(difference) ? Double.NaN : Math.max(largest, Math.abs(difference));
                likeliest = expected[i] > expected[row * vocabulary + likeliest] ? v : likeliest;
                likeliestActual = actual[i] > actual[row * vocabulary + likeliestActual] ? v : likeliestActual;
            }
            agreed += likeliest == likeliestActual ? 1 : 0;
        }
        double sqnr = noise == 0 ? Double.POSITIVE_INFINITY : 10 * Math.log10(signal / noise);
        return new Agreement(largest, sqnr, agreed / (double) rows, perplexity(expected, ids), perplexity(actual, ids));
    }

    /// exp of the mean negative log-likelihood of each token after those before it.
    private static double perplexity(float[] logits, int[] ids) {
        int vocabulary = logits.length / ids.length;
        double sum = 0;
        for (int row = 0; row < ids.length - 1; row++) {
            double largest = Double.NEGATIVE_INFINITY;
            for (int v = 0; v < vocabulary; v++) {
                largest = Math.max(largest, logits[row * vocabulary + v]);
            }
            double total = 0;
            for (int v = 0; v < vocabulary; v++) {
                total += Math.exp(logits[row * vocabulary + v] - largest);
            }
            sum += largest + Math.log(total) - logits[row * vocabulary + ids[row + 1]];
        }
        return Math.exp(sum / (ids.length - 1));
    }

    /// One line for a person.
    String summary() {
        return String.format(
                Locale.ROOT,
                "largest logit difference %.3g, SQNR %s, top-1 agreement %.2f %%, perplexity %.4f and %.4f",
                maxAbsDiff,
                Double.isInfinite(sqnrDb) ? "infinite (identical)" : String.format(Locale.ROOT, "%.1f dB", sqnrDb),
                100 * top1,
                perplexity,
                otherPerplexity);
    }

    /// The figures; an infinite SQNR is null.
    public ObjectNode json() {
        return Json.object()
                .put("max_abs_logit_diff", maxAbsDiff)
                .put("sqnr_db", Double.isInfinite(sqnrDb) ? null : sqnrDb)
                .put("top1_agreement", top1)
                .put("perplexity", perplexity)
                .put("artifact_perplexity", otherPerplexity);
    }
}
