package dev.halftone.cli;

import dev.halftone.Version;
import picocli.CommandLine.IVersionProvider;

/// What `--version` prints.
final class VersionProvider implements IVersionProvider {
    @Override
    public String[] getVersion() {
        return new String[] {"halftone " + Version.number()};
    }
}
