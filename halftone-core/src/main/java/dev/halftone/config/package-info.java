/// torchtune's YAML dialect, from text to typed records.
///
/// A configuration is read as a tree that remembers file and line of every key ([Yaml], [Node]), changed by the
/// command line ([Overrides]), freed of `${…}` ([Interpolation]), and bound to records by reflection ([Binder]).
/// Start at [Config]. The records of each recipe stand in [dev.halftone.config.schema]: their components are the
/// keys, their annotations ([Key], [Component], [Foreign]) the documentation and the defaults.
@NullMarked
package dev.halftone.config;

import org.jspecify.annotations.NullMarked;
