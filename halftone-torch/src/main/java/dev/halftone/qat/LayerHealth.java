package dev.halftone.qat;

import java.util.LinkedHashMap;
import java.util.Map;

/// How a prepared layer stands its grid at one moment of training.
///
/// @param sqnrDb power of the weights over that of their quantization error, in dB; infinite where there is none
/// @param clipped share of the weights that lie beyond the grid's largest or smallest value, 0 to 1
/// @param flipped share of the weights whose code changed since the last measurement; NaN at the first
/// @param scaleDrift mean relative change of the scales since the last measurement; NaN at the first
public record LayerHealth(double sqnrDb, double clipped, double flipped, double scaleDrift) {
    /// The figures by their names in files.
    public Map<String, Double> values() {
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("sqnr_db", sqnrDb);
        values.put("clipped", clipped);
        values.put("flipped", flipped);
        values.put("scale_drift", scaleDrift);
        return values;
    }
}
