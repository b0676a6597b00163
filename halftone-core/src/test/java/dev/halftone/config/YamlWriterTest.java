package dev.halftone.config;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class YamlWriterTest {
    private static final String TEXT = """
            output_dir: /tmp/x
            log_dir: ${output_dir}/logs
            lr: 2e-5
            yes_text: 'True'
            number_text: '2e-5'
            colon: 'a: b'
            quote: "it's"
            lines: "a\\nb\\x07\\\\"
            empty: ''
            nothing: null
            flag: True
            list: [a, 1, 'b, c', '${lr}']
            empty_list: []
            empty_block: {}
            block:
                _component_: torch.optim.AdamW
                inner:
                    k: v
            messages:
            - {role: user, content: 'Hi, there'}
            """;

    @Test
    void whatIsWrittenReadsAsTheSame() {
        Node.Mapping tree = Yaml.read("a.yaml", TEXT);
        assertThat(YamlWriter.write(tree)).isEqualTo(TEXT);
        assertThat(Yaml.read("b.yaml", YamlWriter.write(tree))).isEqualTo(tree);
    }

    @Test
    void sortingReachesEveryBlock() {
        Node.Mapping tree = Yaml.read("a.yaml", "b: {z: 1, y: 2}\na: 3\n");
        assertThat(YamlWriter.write(tree.sorted())).isEqualTo("a: 3\nb:\n    y: 2\n    z: 1\n");
    }
}
