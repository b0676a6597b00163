package dev.halftone.cli;

import dev.halftone.config.Config;
import dev.halftone.config.schema.RecipeConfig;
import java.util.List;
import java.util.function.UnaryOperator;

/// A recipe as the command line knows it.
///
/// @param aliases torchtune's names for it
/// @param configs the shipped configurations, the one to start with first
/// @param schema the record that holds its configuration
/// @param check what the recipe demands beyond the record
record Recipe<C extends Record & RecipeConfig>(
        String name, List<String> aliases, List<String> configs, Class<C> schema, UnaryOperator<C> check) {

    /// Binds a configuration and checks it.
    ///
    /// @throws dev.halftone.InputException naming file, line and key of the first thing that is wrong
    Config.Bound<C> bind(Config config) {
        return config.bind(schema, check);
    }
}
