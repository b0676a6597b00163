package dev.halftone;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;

/// Halftone's version, as the build wrote it down.
public final class Version {
    private Version() {}

    /// Such as `0.1.0`.
    public static String number() {
        try (InputStream in = Version.class.getResourceAsStream("version.properties")) {
            Properties properties = new Properties();
            if (in != null) {
                properties.load(in);
            }
            return properties.getProperty("version", "unknown");
        } catch (IOException e) {
            throw new RunException("version.properties cannot be read. Build Halftone again.", e);
        }
    }
}
