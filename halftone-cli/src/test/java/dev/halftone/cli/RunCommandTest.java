package dev.halftone.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What `run` refuses before it touches a model.
class RunCommandTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "run qatt --config qat|there is no recipe 'qatt'. Did you mean 'qat'?",
                "run lora_dpo_distributed --config qat|the recipe 'lora_dpo_distributed' is not in this version.",
                "run qat|Missing required option: '--config=CONFIG'. See `halftone run --help`.",
                "run qat --config nowhere|there is no configuration file or shipped configuration 'nowhere'.",
                "run qat --config qat batch_sice=2|override 'batch_sice=2': batch_sice: there is no such key. Did you mean 'batch_size'?",
                "run qat --config qat dtype=fp16|override 'dtype=fp16': dtype: fp16 is not supported",
                "run full --config qat|configs/qat.yaml:17: quantizer: the recipe full trains in plain float.",
                "run qat --config full|quantizer: the recipe qat needs one.",
                "run qat --nproc_per_node 2 --config qat|--nproc-per-node: '2' asks for several processes",
                "run --nnodes 4 qat --config qat|--nnodes: '4' asks for several processes",
                "run qat --nproc 1 --config qat|there is no option '--nproc'. Did you mean '--nproc-per-node'?",
            })
    void mistakesEndBeforeAnyWeightIsRead(String line, String message) {
        Cli cli = Cli.run(line.split(" "));
        assertThat(cli.status()).isEqualTo(2);
        assertThat(cli.out()).isEmpty();
        assertThat(cli.err()).contains(message).hasLineCount(1);
    }

    @Test
    void keysWithoutEffectGetOneLine() {
        List<String> line =
                new ArrayList<>(Arrays.asList("run eval --config eval data_files=/nowhere/a.txt".split(" ")));
        line.addAll(List.of("checkpoint_dir=/nowhere", "enable_kv_cache=True", "batch_size=8"));
        Cli cli = Cli.run(line.toArray(String[]::new));
        assertThat(cli.status()).isEqualTo(2);
        assertThat(cli.err())
                .startsWith("Without effect here: enable_kv_cache, batch_size. `halftone validate` says why.")
                .hasLineCount(2);
    }
}
