package dev.halftone.quant;

import dev.halftone.DType;

/// The numbers that a code stands for, before its block's scale.
public sealed interface Element {
    /// Whole numbers from `min` to `max`.
    record Integers(float min, float max) implements Element {
        /// All that `bits` bits hold: `[-2^(bits-1), 2^(bits-1) - 1]`.
        public static Integers of(int bits) {
            return new Integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1);
        }

        /// The same without the smallest, which has no counterpart: int8 from -127 to 127.
        public Integers narrow() {
            return new Integers(-max, max);
        }

        /// Adding 0 leaves a single zero, as codes have.
        @Override
        public float round(float t) {
            return (float) Math.rint(Math.min(Math.max(t, min), max)) + 0f;
        }

        @Override
        public byte code(float number) {
            return (byte) number;
        }

        @Override
        public float number(byte code) {
            return code;
        }

        @Override
        public DType codeDtype() {
            return DType.I8;
        }

        @Override
        public int bits() {
            return Integer.SIZE - Integer.numberOfLeadingZeros((int) (max - min));
        }
    }

    /// The numbers of a small float format.
    record Floats(MiniFloat format) implements Element {
        /// All ones: what torch makes of 0/0 on an x86 processor. A NaN of the other sign is stored as this
        /// one.
        public static final byte NAN = (byte) 0xff;

        @Override
        public float min() {
            return -format.max();
        }

        @Override
        public float max() {
            return format.max();
        }

        @Override
        public float round(float t) {
            return format.round(t);
        }

        @Override
        public byte code(float number) {
            return Float.isNaN(number) ? NAN : format.encode(number);
        }

        @Override
        public float number(byte code) {
            return format.decode(code);
        }

        @Override
        public DType codeDtype() {
            return DType.U8;
        }

        @Override
        public int bits() {
            return format.bits();
        }
    }

    /// The smallest number.
    float min();

    /// The largest number.
    float max();

    /// The number nearest to `t`, half to even: the last for whatever lies beyond it. A NaN stays one.
    float round(float t);

    /// The code of a number; a NaN that the element does not have is 0.
    byte code(float number);

    /// The number of a code.
    float number(byte code);

    /// Type that codes are stored in.
    DType codeDtype();

    /// Bits of a code.
    int bits();
}
