package dev.halftone.config.schema;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.InputException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SplitTest {
    @ParameterizedTest
    @CsvSource({
        "train,0,10",
        "train[:95%],0,10",
        "train[95%:],10,10",
        "train[:50%],0,5",
        "train[33%:66%],3,7",
        "train[2:4],2,4",
        "train[-3:],7,10",
        "train[-10%:],9,10",
        "train[:-1],0,9",
        "train[5:2],5,5",
        "train[20:],10,10",
        "train[ : 3],0,3",
    })
    void slicesTenRowsAsDatasetsDoes(String text, int start, int end) {
        Split split = Split.parse(text);
        assertThat(split.start(10)).isEqualTo(start);
        assertThat(split.end(10)).isEqualTo(end);
        assertThat(Split.parse(split.toString())).isEqualTo(split);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"test", "train[", "train[5]", "train[:10%:2]", "train[1:50%]", "train[:101%]", "train+test"})
    void refusesWhatIsNoSlice(String text) {
        assertThatThrownBy(() -> Split.parse(text)).isInstanceOf(InputException.class);
    }
}
