package dev.halftone.metrics;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/// TFRecord framing: a record is its length (u64), a checksum of those eight bytes, the payload, a checksum of the
/// payload; all little-endian. A checksum is a CRC32C, rotated right by 15 bits plus a constant, so that a checksum of
/// data that holds checksums stays sound (TensorFlow, `tsl/lib/hash/crc32c.h`).
final class TfRecords {
    private static final int MASK_DELTA = 0xa282ead8;

    private TfRecords() {}

    static ByteBuffer frame(byte[] payload) {
        ByteBuffer record = ByteBuffer.allocate(8 + 4 + payload.length + 4).order(ByteOrder.LITTLE_ENDIAN);
        record.putLong(payload.length);
        record.putInt(maskedCrc(record.array(), 0, 8));
        record.put(payload);
        record.putInt(maskedCrc(payload, 0, payload.length));
        return record.flip();
    }

    static int maskedCrc(byte[] bytes, int offset, int length) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, offset, length);
        return Integer.rotateRight((int) crc.getValue(), 15) + MASK_DELTA;
    }
}
