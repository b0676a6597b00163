package dev.halftone.format;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.halftone.InputException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.function.Consumer;

/// Valid files, damaged at random but the same in every run: bits flipped, lengths and offsets rewritten, pieces
/// cut out, moved or repeated.
public final class Mutations {
    /// Numbers that parsers trip over: signs, widths, and the file's own size is added to them.
    private static final long[] NUMBERS = {
        0,
        1,
        -1,
        7,
        8,
        31,
        33,
        255,
        1 << 16,
        Integer.MAX_VALUE,
        Integer.MIN_VALUE,
        1L << 32,
        1L << 40,
        1L << 62,
        Long.MAX_VALUE,
        Long.MIN_VALUE,
        Long.MAX_VALUE - 7
    };

    /// What one file may cost, beside a multiple of its size: messages, stack traces, tables.
    private static final long BASE_ALLOCATION = 1 << 20;
    private static final long ALLOCATION_PER_BYTE = 100;

    private static final Duration LIMIT = Duration.ofMinutes(2);

    private Mutations() {}

    /// Parses `count` damaged copies of a file: each must be read, or refused by an [InputException], within little
    /// memory.
    ///
    /// @param header how many bytes at the start are damaged more often than the rest
    /// @return how many were read
    public static int parseAll(byte[] valid, int header, int count, long seed, Consumer<MappedFile> parser) {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        // Undamaged first: that loads classes, too, which is not the parser's cost.
        parser.accept(new MappedFile(Path.of("valid"), MemorySegment.ofArray(valid), Arena.global()));
        long start = System.nanoTime();
        int read = 0;
        for (int i = 0; i < count; i++) {
            byte[] damaged = mutate(valid, header, new Random(seed + i));
            var file = new MappedFile(Path.of("damaged-" + i), MemorySegment.ofArray(damaged), Arena.global());
            long before = threads.getCurrentThreadAllocatedBytes();
            try {
                parser.accept(file);
                read++;
            } catch (InputException e) {
                assertThat(e).hasMessageContaining("damaged-" + i);
            } catch (RuntimeException | Error e) {
                throw new AssertionError("mutation %d (seed %d)".formatted(i, seed), e);
            }
            assertThat(threads.getCurrentThreadAllocatedBytes() - before)
                    .as("allocation for mutation %d (seed %d)", i, seed)
                    .isLessThan(BASE_ALLOCATION + ALLOCATION_PER_BYTE * damaged.length);
        }
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(LIMIT);
        return read;
    }

    private static byte[] mutate(byte[] valid, int header, Random random) {
        byte[] bytes = valid.clone();
        for (int n = 1 + random.nextInt(3); n > 0; n--) {
            // A header is a small part of most files and the part that can lie.
            int at = random.nextInt(random.nextInt(4) > 0 ? Math.min(header, bytes.length) : bytes.length);
            bytes = switch (random.nextInt(8)) {
                case 0 -> flip(bytes, at, random);
                case 1 -> Arrays.copyOf(bytes, 1 + at);
                case 2 -> Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(100));
                case 3 -> rewrite(bytes, at, Long.BYTES, random);
                case 4 -> rewrite(bytes, at, Integer.BYTES, random);
                case 5 -> digits(bytes, at, random);
                case 6 -> splice(bytes, at, random);
                default -> cut(bytes, at, random);
            };
        }
        return bytes;
    }

    private static byte[] flip(byte[] bytes, int at, Random random) {
        bytes[at] ^= (byte) (1 << random.nextInt(8));
        return bytes;
    }

    /// Writes a little-endian number of a few bytes.
    private static byte[] rewrite(byte[] bytes, int at, int width, Random random) {
        if (at + width <= bytes.length) {
            ByteBuffer number = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            number.putLong(0, number(bytes, random));
            System.arraycopy(number.array(), 0, bytes, at, width);
        }
        return bytes;
    }

    /// Replaces the next decimal number in the text by another.
    private static byte[] digits(byte[] bytes, int at, Random random) {
        int begin = at;
        while (begin < bytes.length && !Character.isDigit(bytes[begin])) {
            begin++;
        }
        int end = begin;
        while (end < bytes.length && Character.isDigit(bytes[end])) {
            end++;
        }
        byte[] number = Long.toString(number(bytes, random)).getBytes(StandardCharsets.US_ASCII);
        return join(Arrays.copyOf(bytes, begin), number, Arrays.copyOfRange(bytes, end, bytes.length));
    }

    private static long number(byte[] bytes, Random random) {
        return NUMBERS[random.nextInt(NUMBERS.length)] + (random.nextInt(3) == 0 ? bytes.length : 0);
    }

    /// Repeats a piece of the file at another place.
    private static byte[] splice(byte[] bytes, int at, Random random) {
        int from = random.nextInt(bytes.length);
        int length = Math.min(1 + random.nextInt(64), bytes.length - Math.max(from, at));
        byte[] piece = Arrays.copyOfRange(bytes, from, from + length);
        if (random.nextBoolean()) {
            System.arraycopy(piece, 0, bytes, at, length);
            return bytes;
        }
        return join(Arrays.copyOf(bytes, at), piece, Arrays.copyOfRange(bytes, at, bytes.length));
    }

    private static byte[] cut(byte[] bytes, int at, Random random) {
        int end = Math.min(bytes.length, at + 1 + random.nextInt(16));
        return end - at == bytes.length
                ? bytes
                : join(Arrays.copyOf(bytes, at), Arrays.copyOfRange(bytes, end, bytes.length));
    }

    private static byte[] join(byte[]... parts) {
        ByteBuffer joined =
                ByteBuffer.allocate(Arrays.stream(parts).mapToInt(p -> p.length).sum());
        Arrays.stream(parts).forEach(joined::put);
        return joined.array();
    }
}
