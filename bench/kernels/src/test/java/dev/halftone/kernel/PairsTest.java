package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Collection;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

class PairsTest {
    /// Which is asked before anything is timed. Of a pair, one of the two does: both ask for both.
    @Test
    void everyPairComputesTheSame() throws Exception {
        Collection<RunResult> results = new Runner(new OptionsBuilder()
                        .include("\\.halftone$")
                        .param("dtype", "BF16")
                        .param("rows", "64")
                        .param("tokens", "64")
                        .mode(Mode.SingleShotTime)
                        .warmupIterations(0)
                        .measurementIterations(1)
                        .measurementTime(TimeValue.milliseconds(1))
                        .forks(0)
                        .shouldFailOnError(true)
                        .verbosity(VerboseMode.SILENT)
                        .build())
                .run();
        assertThat(results).isNotEmpty();
    }
}
