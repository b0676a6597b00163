package dev.halftone.cli;

import dev.halftone.InputException;
import picocli.CommandLine.Option;

/// The options of torchrun that `tune run` takes. This version runs one process: other numbers are refused.
@SuppressWarnings("UnusedVariable") // picocli sets what needs only to be accepted
final class LaunchOptions {
    @Option(
            names = {"--nnodes"},
            paramLabel = "N",
            description = "Machines: 1.")
    private String nodes = "1";

    @Option(
            names = {"--nproc-per-node", "--nproc_per_node"},
            paramLabel = "N",
            description = "Processes of each machine: 1.")
    private String processes = "1";

    @Option(
            names = {"--node-rank", "--node_rank"},
            paramLabel = "N",
            description = "The number of this machine: 0.")
    private String rank = "0";

    @Option(
            names = {"--master-addr", "--master_addr"},
            paramLabel = "HOST",
            description = "Without effect for one process.")
    private String address = "";

    @Option(
            names = {"--master-port", "--master_port"},
            paramLabel = "PORT",
            description = "Without effect for one process.")
    private String port = "";

    /// @throws InputException if anything else is asked for
    void requireOneProcess() {
        require("--nnodes", nodes, "1");
        require("--nproc-per-node", processes, "1");
        require("--node-rank", rank, "0");
    }

    private static void require(String option, String value, String only) {
        if (!value.equals(only)) {
            throw new InputException(
                    "%s: '%s' asks for several processes, and this version runs one. Use %s or leave it out."
                            .formatted(option, value, only));
        }
    }
}
